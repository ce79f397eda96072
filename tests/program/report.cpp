#include "cairn/program/report.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

using namespace cairn::program;

namespace {

namespace fs = std::filesystem;

constexpr double start = 1.7e9;

LaunchRecord crashed(int number, double began, double seconds, double died_at) {
  LaunchRecord launch{number, 3, start + began,  seconds, 137, "signal 9 (Killed)",
                      true,   1, start + died_at};
  return launch;
}

/// Two launches: the first dies at 4 s, two seconds after its last epoch, and works again at 7 s.
RunReport one_crash() {
  RunReport report;
  report.command = {"cairn-heat", "--initial", "<spots> & \"more\""};
  report.launches = {crashed(0, 0, 5, 4),
                     {1, 2, start + 6, 4, 0, "finished", false, std::nullopt, 0}};
  report.spans = {{0, 0, "heat.steps", start + 0.5, 1, 10},
                  {0, 0, "ckpt.save", start + 1.5, 0.5, 10},
                  {0, 0, "heat.steps", start + 2, 1.5, 10},
                  {1, 0, "ckpt.restore", start + 6.5, 0.5, std::nullopt},
                  {1, 0, "heat.steps", start + 7, 2, 10}};
  report.epochs = {{1, 0, start + 2, 10, 0.5}};
  report.restores = {{1, 1, start + 6.9}};
  report.samples = {{0, 0, "heat.cells_per_second", start + 1, 2.5e8},
                    {1, 0, "heat.cells_per_second", start + 8, 2e8}};
  return report;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("work is lost from the last commit to the death, and goes on after the restore") {
  const auto lost = lost_work(one_crash());
  CHECK(lost.size() == 1);
  CHECK(lost.at(0).launch == 0);
  CHECK(lost.at(0).redone_seconds() == doctest::Approx(2));   // committed at 2, died at 4
  CHECK(lost.at(0).restart_seconds() == doctest::Approx(3));  // restored at 7
}

TEST_CASE("without an epoch all work is lost; without a next launch nothing goes on") {
  auto report = one_crash();
  report.epochs.clear();
  CHECK(lost_work(report).at(0).redone_seconds() == doctest::Approx(3.5));  // since its first span
  report.launches.pop_back();
  CHECK(lost_work(report).at(0).restart_seconds() == 0);
  report.spans.clear();
  CHECK(lost_work(report).at(0).redone_seconds() == 0);  // nothing is known to have been done
  report.launches.at(0).crashed = false;
  CHECK(lost_work(report).empty());
}

TEST_CASE("events are read by launch and rank, torn and foreign lines are dropped") {
  const auto folder = fs::temp_directory_path() / ("cairn-report-" + std::to_string(getpid()));
  fs::create_directories(folder);
  std::ofstream(folder / "launch-0.rank-0.events")
      << R"({"ph":"X","name":"ckpt.save","ts":1000000,"dur":500000,"pid":0,"tid":0,"args":{"n":40}},)"
         "\n"
      << R"({"ph":"i","s":"p","name":"epoch.committed","ts":1400000,"pid":0,"tid":0,"args":{"n":7}},)"
         "\n"
      << R"({"ph":"C","name":"speed","ts":2000000,"pid":0,"args":{"value":1.5}},)"
         "\n"
      << "not JSON at all},\n"
      << R"({"ph":"X","name":"torn","ts":30)";
  std::ofstream(folder / "launch-1.rank-2.events")
      << R"({"ph":"X","name":"work","ts":5000000,"dur":1000,"pid":2,"tid":0},)"
         "\n";
  std::ofstream(folder / "notes.txt") << "{},\n";
  RunReport report;
  read_trace(folder, report);
  fs::remove_all(folder);
  CHECK(report.spans.size() == 2);
  CHECK(report.spans.at(1).launch == 1);
  CHECK(report.spans.at(1).rank == 2);
  CHECK(report.spans.at(1).seconds == doctest::Approx(1e-3));
  CHECK(report.epochs.size() == 1);
  CHECK(report.epochs.at(0).number == 7);
  CHECK(report.epochs.at(0).step == 40);
  CHECK(report.epochs.at(0).seconds == doctest::Approx(0.5));
  CHECK(report.samples.size() == 1);
  CHECK(report.samples.at(0).value == 1.5);
  RunReport none;
  read_trace(folder, none);
  CHECK(none.spans.empty());
}

TEST_CASE(
    "the page shows the verdict, the launches, the death and the epoch, and escapes what users "
    "write") {
  const auto page = report_html(one_crash());
  CHECK(count(page, "Finished, after 1 restart<") == 1);
  CHECK(count(page, "&lt;spots&gt; &amp; &quot;more&quot;") == 1);
  CHECK(count(page, "<spots>") == 0);
  CHECK(count(page, "<g class=\"death\">") == 1);
  CHECK(count(page, "<g class=\"epoch\">") == 1);
  CHECK(count(page, "rank 1 died") == 1);
  CHECK(count(page, "2.00 s of work that had to be done again") == 1);
  CHECK(count(page, "heat.cells_per_second over time") == 1);
  CHECK(count(page, "50 %") == 1);  // 2 s and 3 s of 10 s
  CHECK(count(page, "<script") == 0);
  CHECK(count(page, "<img") == 0);
}

TEST_CASE("a share of time is drawn as ranks and time, from its second sample on") {
  RunReport report;
  report.launches = {{0, 2, start, 10, 0, "finished", false, std::nullopt, 0}};
  CHECK(count(report_html(report), "<h2>Utilisation</h2>") == 0);
  // Rank 0: all of it from 0 to 5 s, a quarter until 10 s. Rank 1: nothing is known before 5 s.
  report.samples = {{0, 0, "pool.busy", start, 0},
                    {0, 0, "pool.busy", start + 5, 1},
                    {0, 0, "pool.busy", start + 10, .25},
                    {0, 1, "pool.busy", start + 5, 1},
                    {0, 1, "pool.busy", start + 10, .5}};
  const auto page = report_html(report);
  CHECK(count(page, "<h2>Utilisation</h2>") == 1);
  CHECK(count(page, "<h2>Speed and other counters</h2>") == 0);
  CHECK(count(page, "<rect class=\"busy\"") == 3);
  CHECK(count(page, R"(width="520.0" height="22" fill-opacity="1.00"><title>100 %</title>)") == 1);
  CHECK(count(page, R"(width="520.0" height="22" fill-opacity="0.25"><title>25 %</title>)") == 1);
  CHECK(count(page, R"(width="520.0" height="22" fill-opacity="0.50"><title>50 %</title>)") == 1);
}

TEST_CASE("the picture stands in the page as base64") {
  RunReport report;
  const std::pair<const char*, const char*> cases[] = {
      {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : cases) {  // RFC 4648, section 10
    report.picture_png = bytes;
    CHECK(count(report_html(report), std::string("data:image/png;base64,") + text + "\"") == 1);
  }
}

TEST_CASE("a page of many thousand spans stays small") {
  auto report = one_crash();
  for (int i = 0; i < 100000; ++i) {
    report.spans.push_back({1, 1, "step", start + 7 + i * 2e-5, 1e-5, std::nullopt});
    report.samples.push_back({1, 1, "value", start + 7 + i * 2e-5, 1.0 * i});
  }
  CHECK(report_html(report).size() < 200'000);
}

TEST_CASE("run.json holds the exact numbers") {
  const auto json = nlohmann::json::parse(report_json(one_crash()));
  CHECK(json["exit_code"] == 0);
  CHECK(json["launches"][0]["first_rank_to_end"] == 1);
  CHECK(json["launches"][1]["first_rank_to_end"].is_null());
  CHECK(json["epochs"][0]["step"] == 10);
  CHECK(json["lost"][0]["redone_seconds"] == doctest::Approx(2));
}

TEST_CASE("an empty run has a page too") {
  RunReport report;
  report.exit_code = 70;
  CHECK(count(report_html(report), "Ended with an error (exit code 70)") == 1);
}
