#include "cairn/trace/trace.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "cairn/core/error.hpp"
#include "scratch.hpp"

using namespace cairn;

namespace {

nlohmann::json read_json(const std::filesystem::path& file) {
  std::ifstream in(file);
  return nlohmann::json::parse(in);
}

}  // namespace

TEST_CASE("spans, instants and counters of all threads reach the merged timeline") {
  const test::Scratch scratch;
  trace::start(scratch.path(), 3, 0);
  const auto before = trace::now_ns();
  {
    const trace::Span outer("outer", 42);
    std::thread([] { const trace::Span inner("inner"); }).join();
  }
  trace::instant("committed", 7);
  trace::counter("rate", 2.5);
  trace::stretch("stretch", before, before + 3'000'000);
  trace::stop();
  const auto events_written = trace::merge(scratch.path(), scratch / "trace.json");
  CHECK(events_written == 6);

  const auto events = read_json(scratch / "trace.json").at("traceEvents");
  const auto find = [&](const char* name) {
    for (const auto& event : events) {
      if (event.at("name") == name) return event;
    }
    return nlohmann::json();
  };
  const auto outer = find("outer");
  const auto inner = find("inner");
  CHECK(outer.at("pid") == 3);
  CHECK(outer.at("args").at("n") == 42);
  CHECK(outer.at("tid") != inner.at("tid"));
  CHECK(outer.at("ts").get<double>() <= inner.at("ts").get<double>());
  CHECK(outer.at("dur").get<double>() >= inner.at("dur").get<double>());
  CHECK(find("stretch").at("dur") == 3000);
  CHECK(find("stretch").at("ts").get<double>() <= outer.at("ts").get<double>());
  CHECK(find("committed").at("args").at("n") == 7);
  CHECK(find("rate").at("args").at("value") == 2.5);
  CHECK(find("process_name").at("args").at("name") == "rank 3");
}

TEST_CASE("a timeline goes where its link leads, and spares a file of a similar name") {
  const test::Scratch scratch;
  std::filesystem::create_directory(scratch / "far");
  std::filesystem::create_symlink("far/t.json", scratch / "t.json");
  scratch.file("t.json.tmp", "of a user");
  CHECK(trace::merge(scratch.path(), scratch / "t.json") == 0);
  CHECK(std::filesystem::is_symlink(scratch / "t.json"));
  CHECK(read_json(scratch / "far/t.json").contains("traceEvents"));
  CHECK(test::bytes_of(scratch / "t.json.tmp") == "of a user");
}

TEST_CASE("the half line of a killed rank is dropped") {
  const test::Scratch scratch;
  std::ofstream(scratch / "launch-0.rank-0.events")
      << R"({"ph":"i","s":"p","name":"a","ts":1,"pid":0,"tid":0},)"
      << "\n"
      << R"({"ph":"i","s":"p","na)";
  CHECK(trace::merge(scratch.path(), scratch / "t.json") == 1);
  CHECK(read_json(scratch / "t.json").at("traceEvents").size() == 3);
}

TEST_CASE("a line cut off anywhere is dropped, also with the next one right behind it") {
  const std::vector<std::string> lines{
      R"({"ph":"X","name":"a.b","ts":1.5,"dur":2.5,"pid":0,"tid":0,"args":{"n":-7}},)",
      R"({"ph":"C","name":"rate","ts":2.5,"pid":0,"args":{"value":1.5e-300}},)",
      R"({"ph":"X","name":"c","ts":3.5,"dur":0.5,"pid":0,"tid":1},)"};
  for (const auto& torn : lines) {
    for (const auto& whole : lines) {
      for (std::size_t length = 0; length < torn.size(); ++length) {
        const test::Scratch scratch;
        std::ofstream(scratch / "launch-0.rank-0.events") << whole << '\n'
                                                          << torn.substr(0, length) << whole << '\n'
                                                          << whole << '\n';
        const std::size_t good = length == 0 ? 3 : 2;
        CHECK_MESSAGE(trace::merge(scratch.path(), scratch / "t.json") == good, length, torn);
        CHECK(read_json(scratch / "t.json").at("traceEvents").size() == good + 2);
      }
    }
  }
}

TEST_CASE("a full disk tears lines and costs no others, and the timeline stays well-formed") {
  const test::Scratch scratch;
  trace::start(scratch.path(), 0, 0);
  struct rlimit before {};
  getrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_IGN);
  const auto size = [&] { return file_size(scratch / "launch-0.rank-0.events"); };
  for (rlim_t room = 1; room < 90;
       ++room) {  // a file that may not grow: write() is short, then fails
    const struct rlimit limit { size() + room, before.rlim_max };
    setrlimit(RLIMIT_FSIZE, &limit);
    trace::instant("lost");
    trace::flush();
    setrlimit(RLIMIT_FSIZE, &before);
    trace::instant("kept", static_cast<std::int64_t>(room));
    trace::flush();
  }
  std::signal(SIGXFSZ, SIG_DFL);
  trace::stop();
  trace::merge(scratch.path(), scratch / "t.json");
  std::size_t kept = 0;
  const auto timeline = read_json(scratch / "t.json");
  for (const auto& event : timeline.at("traceEvents")) kept += event.at("name") == "kept" ? 1 : 0;
  CHECK(kept == 89);
}

TEST_CASE("when off, nothing is written; a directory that cannot be made is an Error") {
  CHECK(!trace::is_on());
  { const trace::Span span("nothing"); }
  trace::instant("nothing");
  CHECK_THROWS_AS(trace::start("/proc/nowhere", 0, 0), Error);
  CHECK_THROWS_AS(trace::merge("/nonexistent", "/tmp/x"), Error);
}

TEST_CASE("threads that write at once lose and tear no event") {
  const test::Scratch scratch;
  trace::start(scratch.path(), 0, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 500; ++i) {
        const trace::Span span("work", i);
        trace::counter("rate", i);
        if (i % 50 == 0) trace::flush();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  trace::stop();
  CHECK(trace::merge(scratch.path(), scratch / "t.json") == 1 + 4 * 2 * 500);
  CHECK(read_json(scratch / "t.json").at("traceEvents").size() == 1 + 1 + 4 * 2 * 500 + 1);
}
