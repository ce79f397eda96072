// Claims of one lineage by several processes.

#include "cairn/consensus/fence.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>

#include "cairn/core/error.hpp"
#include "other_process.hpp"
#include "scratch.hpp"

using namespace cairn;
using namespace cairn::consensus;
using namespace cairn::test;
namespace fs = std::filesystem;

namespace {

/// Short times: nothing here waits for a real file system.
FenceOptions quick() {
  return {.patience_seconds = 0, .stale_seconds = 0.5, .heartbeat_seconds = 0.05};
}
/// For owners that must not count as stale, however slow this machine is.
FenceOptions patient() {
  return {.patience_seconds = 0, .stale_seconds = 1e6, .heartbeat_seconds = 0.05};
}

Errc refusal(const fs::path& directory, const FenceOptions& options, std::string* text = nullptr) {
  try {
    const auto fence = claim(directory, this_process(), options);
  } catch (const Error& error) {
    if (text != nullptr) *text = error.what();
    return error.code();
  }
  return Errc{};
}

/// Claims in another process, says so, and stays until it is told to end.
struct Holder {
  explicit Holder(const fs::path& directory, const FenceOptions& options = patient())
      : process([&] {
          const auto fence = claim(directory, this_process(), options);
          claimed.post();
          go_on.wait();
          try {
            fence.check();
          } catch (const Error& error) {
            return error.exit_code();
          }
          return 0;
        }) {
    claimed.wait();
  }
  Gate claimed;
  Gate go_on;
  OtherProcess process;
};

/// As if the owner had been on another machine.
void move_away(const fs::path& directory, std::uint64_t incarnation) {
  const auto path = directory / ("inc." + std::to_string(incarnation));
  auto claim = parse_claim(bytes_of(path));
  claim.owner.boot = "another";
  std::ofstream(path, std::ios::binary) << claim_text(claim);
}

}  // namespace

TEST_CASE("incarnations follow each other; one that has ended in order is followed at once") {
  const Scratch scratch;
  CHECK(!owner(scratch.path()));
  CHECK(is_owner_gone(scratch.path()));
  for (std::uint64_t k = 1; k <= 4; ++k) {
    auto fence = claim(scratch.path(), this_process(), patient());
    CHECK(fence.incarnation() == k);
    CHECK(!owner(scratch.path())->is_released);
    CHECK(!is_owner_gone(scratch.path()));
    std::vector<LastEpoch> honoured;
    if (k > 1) honoured.push_back({k - 1, 10 * k});
    fence.confirm(honoured);
    fence.check();
    CHECK(newest_confirmed(scratch.path()) == fence.claim());
    CHECK(owner(scratch.path())->claim == fence.claim());
  }
  CHECK(owner(scratch.path())->is_released);
  CHECK(is_fenced(scratch.path(), 3));
  CHECK(!is_fenced(scratch.path(), 4));
  CHECK(is_fenced(scratch.path(), 1));
}

TEST_CASE("old claims are removed, oldest first; the newest and its predecessor stay") {
  const Scratch scratch;
  for (int k = 1; k <= 5; ++k) claim(scratch.path(), this_process(), patient()).confirm({});
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(scratch.path()))
    names.insert(entry.path().filename().string());
  CHECK(names == std::set<std::string>{"inc.4", "inc.4.beat", "inc.5", "inc.5.beat"});
  for (std::uint64_t k = 1; k <= 4; ++k) CHECK(is_fenced(scratch.path(), k));
  // Those that confirm nothing do not push out the one that says what counts.
  { const auto fence = claim(scratch.path(), this_process(Claimant::Kind::tool), patient()); }
  { const auto fence = claim(scratch.path(), this_process(Claimant::Kind::tool), patient()); }
  CHECK(newest_confirmed(scratch.path())->incarnation == 5);
  auto fence = claim(scratch.path(), this_process(), patient());
  fence.confirm({});
  CHECK(fs::exists(scratch / "inc.5"));
  CHECK(!fs::exists(scratch / "inc.4"));
}

TEST_CASE("what a launch has left that died while it claimed goes, also from a fresh directory") {
  const Scratch scratch;
  for (const std::uint64_t k : {1, 2}) {
    std::ofstream(scratch / "inc.00ff.tmp") << "a part of a claim";
    auto fence = claim(scratch.path(), this_process(), patient());
    CHECK(fence.incarnation() == k);
    fence.confirm({});
    CHECK(!fs::exists(scratch / "inc.00ff.tmp"));
  }
}

TEST_CASE("a number is above that of every record, although all claims are lost") {
  const Scratch scratch;
  auto options = patient();
  options.above = 12;
  CHECK(claim(scratch.path(), this_process(), options).incarnation() == 13);
}

TEST_CASE("an owner that lives is left alone, and named with the way to overrule it") {
  const Scratch scratch;
  Holder holder(scratch.path());
  std::string text;
  CHECK(refusal(scratch.path(), patient(), &text) == Errc::unavailable);
  CHECK(text.find("in use by another running job (process ") != std::string::npos);
  CHECK(text.find("incarnation 1") != std::string::npos);
  CHECK(text.find("cairn journal fence " + scratch.path().string()) != std::string::npos);
  CHECK(!fs::exists(scratch / "inc.2"));
  holder.go_on.post();
  CHECK(holder.process.wait() == 0);
  CHECK(claim(scratch.path(), this_process(), patient()).incarnation() == 2);
}

TEST_CASE("one look shows no silence, however long it took") {
  const Scratch scratch;
  const Holder holder(scratch.path());
  auto options = patient();
  options.stale_seconds = 0;
  CHECK(refusal(scratch.path(), options) == Errc::unavailable);
}

TEST_CASE("an owner in this process lives as long as its Fence") {
  const Scratch scratch;
  {
    const auto fence = claim(scratch.path(), this_process(), patient());
    CHECK(refusal(scratch.path(), patient()) == Errc::unavailable);
  }
  fs::remove(scratch / "inc.1.beat");  // nothing says that it was released
  CHECK(claim(scratch.path(), this_process(), patient()).incarnation() == 2);
}

TEST_CASE("an owner that was killed on this machine is taken over from at once") {
  const Scratch scratch;
  Holder holder(scratch.path());
  holder.process.signal(SIGKILL);
  CHECK(holder.process.wait() == 128 + SIGKILL);
  CHECK(claim(scratch.path(), this_process(), patient()).incarnation() == 2);
}

TEST_CASE("an owner that is stopped becomes stale, and finds itself fenced") {
  const Scratch scratch;
  Holder holder(scratch.path());
  holder.process.signal(SIGSTOP);
  auto options = quick();
  options.patience_seconds = 1e6;
  const auto fence = claim(scratch.path(), this_process(), options);
  CHECK(fence.incarnation() == 2);
  holder.process.signal(SIGCONT);
  holder.go_on.post();
  CHECK(holder.process.wait() == static_cast<int>(Errc::unavailable));
  CHECK(owner(scratch.path())->incarnation == 2);
}

TEST_CASE("of an owner on another machine the heartbeat alone speaks") {
  const Scratch scratch;
  Holder holder(scratch.path());
  move_away(scratch.path(), 1);
  auto options = quick();
  options.stale_seconds = 1e6;  // it beats; without a sign of life this would wait
  CHECK(refusal(scratch.path(), options) == Errc::unavailable);
  holder.process.signal(SIGKILL);
  CHECK(holder.process.wait() == 128 + SIGKILL);
  CHECK(claim(scratch.path(), this_process(), quick()).incarnation() == 2);
}

TEST_CASE("a scheduler that knows that the job is gone ends the wait") {
  const Scratch scratch;
  {
    auto claimant = this_process();
    claimant.scheduler = "slurm";
    claimant.scheduler_job = "12";
    const auto fence = claim(scratch.path(), claimant, patient());
    auto options = patient();
    for (const auto state : {JobState::there, JobState::unknown}) {
      options.ask_scheduler = [&](const Claimant&) { return state; };
      CHECK(refusal(scratch.path(), options) == Errc::unavailable);
    }
    options.ask_scheduler = [](const Claimant& owner) {
      return owner.scheduler_job == "12" ? JobState::gone : JobState::there;
    };
    CHECK(claim(scratch.path(), this_process(), options).incarnation() == 2);
    CHECK_THROWS_AS(fence.check(), Error);
  }
}

TEST_CASE("what squeue's answers mean") {
  const Scratch scratch;
  const auto answer = [&](const std::string& script) {
    const auto path = scratch.file("squeue", "#!/bin/sh\n" + script + "\n");
    fs::permissions(path, fs::perms::owner_all);
    Claimant owner{.scheduler = "slurm", .scheduler_job = "12"};
    return ask_slurm(owner);
  };
  const std::string before = std::getenv("PATH");
  ::setenv("PATH", (scratch.path().string() + ":" + before).c_str(), 1);
  CHECK(answer("test \"$2\" = --jobs=12 && echo RUNNING") == JobState::there);
  CHECK(answer("echo COMPLETING") == JobState::there);
  CHECK(answer("echo PENDING") == JobState::gone);  // to be started again: the old launch is over
  CHECK(answer("exit 0") == JobState::gone);
  CHECK(answer("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1") ==
        JobState::gone);
  CHECK(answer("echo 'Unable to contact slurm controller' >&2; exit 1") == JobState::unknown);
  CHECK(ask_slurm({.scheduler = "slurm", .scheduler_job = "1; rm -rf /"}) == JobState::unknown);
  CHECK(ask_slurm({}) == JobState::unknown);
  ::setenv("PATH", before.c_str(), 1);
}

TEST_CASE("a later launch of the same cairn run, or a requeued job, follows at once") {
  const Scratch scratch;
  auto first = this_process();
  first.supervisor = "run-1";
  const auto fence = claim(scratch.path(), first, patient());
  ::setenv("CAIRN_RUN", "run-1", 1);
  CHECK(refusal(scratch.path(), patient()) == Errc::unavailable);  // the same launch
  ::setenv("CAIRN_LAUNCH", "1", 1);
  CHECK(claim(scratch.path(), this_process(), patient()).incarnation() == 2);
  ::unsetenv("CAIRN_RUN");
  ::unsetenv("CAIRN_LAUNCH");

  auto job = this_process();
  job.scheduler = "slurm";
  job.scheduler_job = "12";
  const auto batch = claim(scratch.path(), job, patient());
  auto options = patient();
  options.ask_scheduler = {};
  ::setenv("SLURM_JOB_ID", "12", 1);
  CHECK(refusal(scratch.path(), options) == Errc::unavailable);
  ::setenv("SLURM_RESTART_COUNT", "1", 1);
  CHECK(claim(scratch.path(), this_process(), options).incarnation() == 4);
  ::unsetenv("SLURM_JOB_ID");
  ::unsetenv("SLURM_RESTART_COUNT");
}

TEST_CASE("an operator takes over from whom he will") {
  const Scratch scratch;
  const auto fence = claim(scratch.path(), this_process(), patient());
  auto options = patient();
  options.take_over = FenceOptions::TakeOver::by_force;
  {
    const auto forced = claim(scratch.path(), this_process(Claimant::Kind::by_operator), options);
    CHECK(forced.incarnation() == 2);
  }
  std::string text;
  try {
    fence.check();
  } catch (const Error& error) {
    text = error.what();
  }
  CHECK(text.find("incarnation 2 has taken over") != std::string::npos);
  CHECK(claim(scratch.path(), this_process(), patient()).incarnation() == 3);
}

TEST_CASE("torn, empty and foreign claims are somebody's: watched, passed over, never reused") {
  const Scratch scratch;
  claim(scratch.path(), this_process(), quick()).confirm({});
  const auto whole = bytes_of(scratch / "inc.1");
  const auto torn = {std::string(), whole.substr(0, 100), std::string(whole.size(), '\0'), whole};
  std::uint64_t k = 2;
  for (const auto& bytes : torn) {
    scratch.file("inc." + std::to_string(k), bytes);  // the last one: of another number
    CHECK(!owner(scratch.path())->claim);
    CHECK(!owner(scratch.path())->problem.empty());
    CHECK(newest_confirmed(scratch.path())->incarnation == k - 1);
    auto fence = claim(scratch.path(), this_process(), quick());
    CHECK(fence.incarnation() == k + 1);
    fence.confirm({});
    k += 2;
  }
  fs::create_directory(scratch / ("inc." + std::to_string(k)));
  CHECK(claim(scratch.path(), this_process(), quick()).incarnation() == k + 1);
}

TEST_CASE("a claim of a later format is not overruled") {
  const Scratch scratch;
  auto text = claim_text({.incarnation = 1, .owner = this_process()});
  text.replace(text.find(" 1 "), 3, " 2 ");
  scratch.file("inc.1", text);
  CHECK(refusal(scratch.path(), quick()) == Errc::usage);
}

TEST_CASE("without the directory, and without the own claim") {
  const Scratch scratch;
  fs::create_directory(scratch / "a");
  const auto fence = claim(scratch / "a", this_process(), patient());
  fs::rename(scratch / "a", scratch / "b");
  try {
    fence.check();
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == Errc::no_input);
  }
  fs::create_directory(scratch / "a");
  try {
    fence.check();
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == Errc::unavailable);
    CHECK(std::string(error.what()).find("its claim is gone") != std::string::npos);
  }
}

TEST_CASE("of 50 launches at once exactly one owns the lineage") {
  const int rounds = std::getenv("CAIRN_TEST_LONG") != nullptr ? 200 : 10;
  constexpr int racers = 50;
  const Scratch scratch;
  auto options = patient();
  options.heartbeat_seconds = 0;
  for (int round = 1; round <= rounds; ++round) {
    const Gate start;
    const Gate decided;
    const Gate end;
    std::vector<OtherProcess> processes;
    for (int i = 0; i < racers; ++i) {
      processes.emplace_back([&] {
        start.wait();
        int code = 1;
        try {
          auto fence = claim(scratch.path(), this_process(), options);
          fence.confirm({});
          decided.post();
          end.wait();
          fence.check();
          return 0;
        } catch (const Error& error) {
          code = error.exit_code();
        }
        decided.post();
        return code;
      });
    }
    start.post(racers);
    for (int i = 0; i < racers; ++i) decided.wait();
    const auto now = owner(scratch.path());
    end.post(racers);
    int winners = 0;
    int refused = 0;
    for (auto& process : processes) {
      const int code = process.wait();
      winners += code == 0 ? 1 : 0;
      refused += code == static_cast<int>(Errc::unavailable) ? 1 : 0;
    }
    CHECK(winners == 1);
    CHECK(refused == racers - 1);
    CHECK(now->incarnation == static_cast<std::uint64_t>(round));
  }
}
