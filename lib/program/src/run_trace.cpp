// What the events of the ranks say about a run.

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cairn/core/error.hpp"
#include "cairn/program/report.hpp"

namespace cairn::program {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr double seconds_per_microsecond = 1e-6;

/// One event line of one rank of one launch.
void add_event(const Json& event, int launch, int rank, RunReport& report) {
  const auto phase = event.value("ph", "");
  const auto name = event.value("name", "");
  const double at = event.value("ts", 0.0) * seconds_per_microsecond;
  std::optional<std::int64_t> number;
  if (event.contains("args") && event["args"].contains("n"))
    number = event["args"]["n"].get<std::int64_t>();
  if (phase == "X") {
    report.spans.push_back(
        {launch, rank, name, at, event.value("dur", 0.0) * seconds_per_microsecond, number});
  } else if (phase == "C") {
    report.samples.push_back({launch, rank, name, at, event.at("args").value("value", 0.0)});
  } else if (phase == "i" && name == "epoch.committed") {
    report.epochs.push_back({number.value_or(0), launch, at, std::nullopt, std::nullopt});
  } else if (phase == "i" && name == "epoch.restored" && rank == 0) {
    report.restores.push_back({launch, number.value_or(0), at});
  }
}

void read_events(const fs::path& file, int launch, int rank, RunReport& report) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.ends_with("},")) continue;
    line.pop_back();
    const auto event = Json::parse(line, nullptr, false);
    if (event.is_object()) add_event(event, launch, rank, report);
  }
}

/// The span ckpt.save around a commit knows the step and the duration.
void complete_epochs(RunReport& report) {
  for (auto& epoch : report.epochs) {
    for (const auto& span : report.spans) {
      const bool is_around = span.name == "ckpt.save" && span.launch == epoch.launch &&
                             span.began <= epoch.committed_at &&
                             epoch.committed_at <= span.began + span.seconds;
      if (!is_around) continue;
      epoch.step = span.number;
      epoch.seconds = std::max(epoch.seconds.value_or(0), span.seconds);
    }
  }
}

/// When a launch began to work: after it had restored an epoch, else with its first span.
double work_began(const RunReport& report, const LaunchRecord& launch) {
  double first = launch.ended_at();
  double restored = 0;
  for (const auto& span : report.spans) {
    if (span.launch != launch.number) continue;
    first = std::min(first, span.began);
    if (span.name == "ckpt.restore") restored = std::max(restored, span.began + span.seconds);
  }
  return std::clamp(restored > 0 ? restored : first, launch.began, launch.ended_at());
}

}  // namespace

void read_trace(const fs::path& directory, RunReport& report) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    files.push_back(entry->path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    int launch = 0;
    int rank = 0;
    if (std::sscanf(file.filename().c_str(), "launch-%d.rank-%d.events", &launch, &rank) != 2)
      continue;
    read_events(file, launch, rank, report);
  }
  std::stable_sort(report.epochs.begin(), report.epochs.end(),
                   [](const auto& a, const auto& b) { return a.committed_at < b.committed_at; });
  complete_epochs(report);
}

std::vector<LostWork> lost_work(const RunReport& report) {
  std::vector<LostWork> lost;
  for (std::size_t i = 0; i < report.launches.size(); ++i) {
    const auto& launch = report.launches[i];
    if (!launch.crashed) continue;
    LostWork work{launch.number, work_began(report, launch), launch.stopped_at(),
                  launch.stopped_at()};
    for (const auto& epoch : report.epochs) {
      if (epoch.launch == launch.number) work.from = std::max(work.from, epoch.committed_at);
    }
    work.from = std::min(work.from, work.until);
    if (i + 1 < report.launches.size()) work.resumed = work_began(report, report.launches[i + 1]);
    lost.push_back(work);
  }
  return lost;
}

std::string report_json(const RunReport& report) {
  using Ordered = nlohmann::ordered_json;
  const auto optional = [](const auto& value) { return value ? Ordered(*value) : Ordered(); };
  Ordered json{{"command", report.command}, {"exit_code", report.exit_code}};
  for (const auto& launch : report.launches) {
    json["launches"].push_back({{"number", launch.number},
                                {"ranks", launch.ranks},
                                {"began", launch.began},
                                {"ended", launch.ended_at()},
                                {"seconds", launch.seconds},
                                {"exit_code", launch.exit_code},
                                {"ending", launch.ending},
                                {"crashed", launch.crashed},
                                {"first_rank_to_end", optional(launch.dead_rank)}});
  }
  json["epochs"] = Ordered::array();
  for (const auto& epoch : report.epochs) {
    json["epochs"].push_back({{"number", epoch.number},
                              {"launch", epoch.launch},
                              {"committed", epoch.committed_at},
                              {"step", optional(epoch.step)},
                              {"seconds", optional(epoch.seconds)}});
  }
  json["restores"] = Ordered::array();
  for (const auto& restore : report.restores) {
    json["restores"].push_back(
        {{"launch", restore.launch}, {"epoch", restore.epoch}, {"at", restore.at}});
  }
  json["lost"] = Ordered::array();
  for (const auto& work : lost_work(report)) {
    json["lost"].push_back({{"launch", work.launch},
                            {"redone_seconds", work.redone_seconds()},
                            {"restart_seconds", work.restart_seconds()}});
  }
  return json.dump(2, ' ', false, Ordered::error_handler_t::replace) + "\n";
}

}  // namespace cairn::program
