#include "cairn/program/report.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <ctime>

#include "cairn/core/version.hpp"
#include "timeline.hpp"

namespace cairn::program {

namespace {

constexpr std::string_view style = R"(<style>
:root { color-scheme: light dark; --page:#f7f7f5; --card:#fff; --ink:#1d2126; --soft:#5d6670; --line:#e2e3e0;
  --good:#1a7f4b; --bad:#c0352b; --wait:#a86400; --box:#f1f3f4; --hatch:#c0352b;
  --c0:#4c86c6; --c1:#2f9e8f; --c2:#8a7bc8; --c3:#7fa650; --c4:#c46f9b; --c5:#6f8798;
  --k0:#e8b04a; --k1:#d18a1d; --k2:#b9741a; --k3:#8f5510; --k4:#8e5bc0; }
@media (prefers-color-scheme: dark) { :root { --page:#15181b; --card:#1e2226; --ink:#e8eaec; --soft:#9aa4ae;
  --line:#31373d; --good:#4cc38a; --bad:#f2766b; --wait:#e5a84b; --box:#262b30; --hatch:#f2766b;
  --c0:#5b97d9; --c1:#3db8a7; --c2:#a193df; --c3:#93bc62; --c4:#d884b0; --c5:#8ba2b3; } }
* { box-sizing:border-box } body { margin:0; background:var(--page); color:var(--ink);
  font:15px/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif }
main { max-width:1180px; margin:0 auto; padding:28px 24px 48px }
h1 { font-size:28px; margin:0 0 4px; letter-spacing:-.01em } h2 { font-size:17px; margin:0 0 12px }
.good { color:var(--good) } .bad { color:var(--bad) } .wait { color:var(--wait) }
code { font:13px/1.5 ui-monospace,"DejaVu Sans Mono",monospace; overflow-wrap:anywhere } .soft { color:var(--soft) }
section { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:18px 20px; margin-top:18px }
.tiles { display:grid; grid-template-columns:repeat(auto-fit,minmax(150px,1fr)); gap:12px; margin-top:18px }
.tiles div { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:12px 16px }
.tiles b { display:block; font-size:23px; font-weight:600; font-variant-numeric:tabular-nums } .tiles span { color:var(--soft); font-size:13px }
.scroll { overflow-x:auto } table { border-collapse:collapse; min-width:50%; font-variant-numeric:tabular-nums }
th { text-align:left; font-weight:500; color:var(--soft); font-size:13px } td,th { padding:5px 32px 5px 0; border-bottom:1px solid var(--line); white-space:nowrap }
tr:last-child td { border-bottom:0 } .n { text-align:right }
section>svg { width:100%; height:auto; display:block } .legend { margin:8px 0 0; display:flex; flex-wrap:wrap; gap:4px 18px; font-size:13px; color:var(--soft) }
.legend svg { width:12px; height:12px; margin-right:6px; vertical-align:-1px } img { max-width:100%; border-radius:6px; display:block; image-rendering:auto }
svg text { font:12px system-ui,"DejaVu Sans",sans-serif; fill:var(--soft) } text.axis { text-anchor:middle } text.lane { text-anchor:end } text.launch-name { fill:var(--ink); font-weight:600 }
.tick { stroke:var(--line) } .launch { fill:var(--box); stroke:var(--line) } .launch.crashed { stroke:var(--bad) }
.c0 { fill:var(--c0) } .c1 { fill:var(--c1) } .c2 { fill:var(--c2) } .c3 { fill:var(--c3) } .c4 { fill:var(--c4) } .c5 { fill:var(--c5) }
.k0 { fill:var(--k0) } .k1 { fill:var(--k1) } .k2 { fill:var(--k2) } .k3 { fill:var(--k3) } .k4 { fill:var(--k4) }
.redone { fill:url(#redone) } .redone-ground { fill:var(--card); fill-opacity:.35 } .redone-line { stroke:var(--hatch); stroke-width:3; stroke-opacity:.85 }
.epoch line { stroke:var(--good); stroke-width:1; stroke-opacity:.55 } .epoch path { fill:var(--good) }
.death circle { fill:var(--card); stroke:var(--bad); stroke-width:1.5 } .death path { stroke:var(--bad); stroke-width:2.6; stroke-linecap:round; fill:none }
.busy { fill:var(--c0) } .counter { fill:none; stroke:var(--c0); stroke-width:1.8; stroke-linejoin:round }
</style>
)";

/// 3.21 s, 4 min 05 s, 2 h 03 min.
std::string duration(double seconds) {
  if (seconds < 0.1) return fmt::format("{:.1f} ms", seconds * 1e3);
  if (seconds < 100) return fmt::format("{:.{}f} s", seconds, seconds < 10 ? 2 : 1);
  const auto whole = std::lround(seconds);
  if (whole < 6000) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

/// Local date and time, to the second.
std::string clock_time(double at) {
  const auto seconds = static_cast<std::time_t>(at);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts)};
}

struct Verdict {
  const char* tone;
  std::string text;
};

Verdict verdict(const RunReport& report) {
  const auto restarts = report.launches.empty() ? 0 : report.launches.size() - 1;
  const auto times =
      restarts == 1 ? std::string("1 restart") : fmt::format("{} restarts", restarts);
  if (report.exit_code == 0) {
    return {"good", restarts == 0 ? "Finished without a fault" : "Finished, after " + times};
  }
  if (report.exit_code == 75)
    return {"wait", "Stopped on request; run the same command again to go on"};
  if (report.exit_code == 130) return {"wait", "Stopped by Ctrl-C"};
  if (!report.launches.empty() && report.launches.back().crashed) {
    return {"bad", fmt::format("Gave up after {}: {}", times, report.launches.back().ending)};
  }
  return {"bad", fmt::format("Ended with an error (exit code {})", report.exit_code)};
}

std::string headline(const RunReport& report) {
  const auto [tone, text] = verdict(report);
  std::string command;
  for (const auto& word : report.command) command += (command.empty() ? "" : " ") + word;
  auto out = fmt::format("<h1 class=\"{}\">{}</h1>\n<code>{}</code>\n", tone, escaped(text),
                         escaped(command));
  if (!report.launches.empty()) {
    out += fmt::format("<div class=\"soft\">{} to {}, exit code {}</div>\n",
                       clock_time(report.launches.front().began),
                       clock_time(report.launches.back().ended_at()), report.exit_code);
  }
  return out;
}

std::string tiles(const RunReport& report) {
  std::string out = "<div class=\"tiles\">";
  const auto tile = [&](const std::string& value, std::string_view name) {
    out += fmt::format("<div><b>{}</b><span>{}</span></div>", value, name);
  };
  double redone = 0;
  double restarting = 0;
  const auto lost = lost_work(report);
  for (const auto& work : lost) {
    redone += work.redone_seconds();
    restarting += work.restart_seconds();
  }
  const double total = report.launches.empty()
                           ? 0
                           : report.launches.back().ended_at() - report.launches.front().began;
  tile(duration(total), "from start to end");
  tile(std::to_string(report.launches.size()), report.launches.size() == 1 ? "launch" : "launches");
  tile(std::to_string(lost.size()), lost.size() == 1 ? "crash" : "crashes");
  tile(std::to_string(report.epochs.size()),
       report.epochs.size() == 1 ? "epoch committed" : "epochs committed");
  if (!lost.empty()) {
    tile(duration(redone), "of work done again");
    tile(duration(restarting), "from a death to work again");
    tile(fmt::format("{:.0f} %", total > 0 ? 100 * (redone + restarting) / total : 0),
         "of the time lost to faults");
  }
  return out + "</div>\n";
}

std::string launches_table(const RunReport& report) {
  std::string out =
      "<section><h2>Launches</h2><div class=\"scroll\"><table><tr><th>launch</th><th "
      "class=\"n\">ranks</th><th>started"
      "</th><th class=\"n\">ran for</th><th>from epoch</th><th>ended by</th><th>first rank to "
      "end</th></tr>\n";
  for (const auto& launch : report.launches) {
    std::string from = "the start";
    for (const auto& restore : report.restores) {
      if (restore.launch == launch.number) from = std::to_string(restore.epoch);
    }
    const char* tone = launch.crashed ? "bad" : launch.exit_code == 0 ? "good" : "wait";
    out += fmt::format(
        "<tr><td>{}</td><td class=\"n\">{}</td><td>{}</td><td class=\"n\">{}</td><td>{}</td>"
        "<td class=\"{}\">{}</td><td>{}</td></tr>\n",
        launch.number, launch.ranks, clock_time(launch.began), duration(launch.seconds), from, tone,
        escaped(launch.ending),
        launch.crashed && launch.dead_rank ? fmt::format("rank {}", *launch.dead_rank) : "");
  }
  return out + "</table></div></section>\n";
}

std::string epochs_table(const RunReport& report) {
  if (report.epochs.empty()) return "";
  std::string out =
      "<section><h2>Epochs</h2><div class=\"scroll\"><table><tr><th>epoch</th><th>launch</th><th "
      "class=\"n\">step</th>"
      "<th class=\"n\">committed after</th><th class=\"n\">saving took</th></tr>\n";
  constexpr std::size_t shown_at_each_end = 20;
  const auto count = report.epochs.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (count > 2 * shown_at_each_end + 1 && i == shown_at_each_end) {
      const auto skipped = count - 2 * shown_at_each_end;
      out += fmt::format(
          "<tr><td colspan=\"5\" class=\"soft\">… {} more (run.json has all)</td></tr>\n", skipped);
      i += skipped - 1;
      continue;
    }
    const auto& epoch = report.epochs[i];
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
        "class=\"n\">{}</td></tr>\n",
        epoch.number, epoch.launch, epoch.step ? std::to_string(*epoch.step) : "",
        duration(epoch.committed_at - report.launches.front().began),
        epoch.seconds ? duration(*epoch.seconds) : "");
  }
  return out + "</table></div></section>\n";
}

std::string faults_table(const RunReport& report) {
  const auto lost = lost_work(report);
  if (lost.empty()) return "";
  std::string out =
      "<section><h2>Time lost to faults</h2><div class=\"scroll\"><table><tr><th>launch</th><th "
      "class=\"n\">work since the "
      "last epoch, done again</th><th class=\"n\">from the death until work went on</th></tr>\n";
  for (const auto& work : lost) {
    out += fmt::format("<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
                       work.launch, duration(work.redone_seconds()),
                       work.resumed > work.until ? duration(work.restart_seconds()) : "not at all");
  }
  return out + "</table></div></section>\n";
}

/// RFC 4648.
std::string base64(std::string_view bytes) {
  static constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t k) {
      return i + k < bytes.size() ? static_cast<unsigned>(static_cast<unsigned char>(bytes[i + k]))
                                  : 0U;
    };
    const unsigned group = byte(0) << 16 | byte(1) << 8 | byte(2);
    for (std::size_t k = 0; k < 4; ++k) {
      out += i + k <= bytes.size() ? digits[group >> (18 - 6 * k) & 63U] : '=';
    }
  }
  return out;
}

std::string picture(const RunReport& report) {
  if (report.picture_png.empty()) return "";
  return fmt::format(
      "<section><h2>Result</h2><img alt=\"The picture that the program made\" "
      "src=\"data:image/png;base64,{}\"></section>\n",
      base64(report.picture_png));
}

std::string counter_sections(const RunReport& report) {
  if (report.launches.empty()) return "";
  std::string out;
  if (const auto busy = utilisation_svgs(report); !busy.empty())
    out += "<section><h2>Utilisation</h2>\n" + busy + "</section>\n";
  if (const auto others = counter_svgs(report); !others.empty())
    out += "<section><h2>Speed and other counters</h2>\n" + others + "</section>\n";
  return out;
}

}  // namespace

std::string report_html(const RunReport& report) {
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>Run report</title>\n";
  out += style;
  out += "</head><body><main>\n" + headline(report) + tiles(report);
  if (!report.launches.empty()) {
    out += "<section><h2>What happened</h2>\n" + timeline_svg(report) + "</section>\n" +
           launches_table(report);
  }
  out += faults_table(report) + counter_sections(report);
  out += epochs_table(report) + picture(report);
  out += fmt::format(
      "<p class=\"soft\">Written by cairn run, Cairn {}. The exact times are in run.json; "
      "trace.json opens "
      "in ui.perfetto.dev and chrome://tracing.</p>\n</main></body></html>\n",
      version);
  return out;
}

}  // namespace cairn::program
