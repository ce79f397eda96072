// The node-local tier: whatever losses the redundancy covers are borne, on any number of ranks; one
// more is refused by name.

#include "tiers.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <bit>

#include "cairn/collectives/agree.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/core/file.hpp"

using namespace cairn;
using namespace cairn::test;

TEST_CASE("a local epoch is restored, and is an ordinary epoch of the shared directory then") {
  const int p = world().size();
  const Tiers tiers(std::min(p, 3));
  const auto redundancy = ckpt::Redundancy::partner();
  save(tiers, redundancy, p, 3);
  if (world().is_root()) CHECK(!fs::exists(tiers.shared() / "epoch-0000000003.record"));
  check_restored(tiers, redundancy, p, 3, p);
  tiers.lose(~0U);
  check_restored(tiers, redundancy, p, 3, p);
}

TEST_CASE("the newest epoch of both tiers is restored") {
  const int p = world().size();
  const Tiers tiers(std::min(p, 3));
  const auto redundancy = ckpt::Redundancy::none();
  on_ranks(p, [&](const Communicator& comm) {
    auto options = tiers.options(comm, redundancy);
    options.every = 2;
    Program program(comm, options);
    program.save_steps(1, 3);
  });
  tiers.keep_copy();
  check_restored(tiers, redundancy, p, 3, p);
  tiers.bring_back();
  tiers.lose(1U);
  check_restored(tiers, redundancy, p, 2, p);  // the shared one, newer than what is left of step 1
}

TEST_CASE("every loss that the redundancy covers is borne, and one more is refused by name") {
  struct Case {
    ckpt::Redundancy redundancy;
    int hosts;
    int losses;
  };
  const int p = world().size();
  for (const auto& each :
       {Case{ckpt::Redundancy::partner(), 2, 1}, Case{ckpt::Redundancy::exclusive_or(), 3, 1},
        Case{ckpt::Redundancy::exclusive_or(), 4, 1},
        Case{ckpt::Redundancy::reed_solomon(1, 2), 3, 2},
        Case{ckpt::Redundancy::reed_solomon(2, 2), 4, 2}}) {
    const auto redundancy = each.redundancy;
    const int hosts = each.hosts;  // a structured binding cannot be captured
    const int losses = each.losses;
    if (p < hosts) continue;
    const Tiers tiers(hosts);
    save(tiers, redundancy, p, 2);
    tiers.keep_copy();
    for (unsigned lost = 1; lost < 1U << hosts; ++lost) {
      CAPTURE(hosts);
      CAPTURE(lost);
      if (std::popcount(lost) > losses + 1) continue;
      tiers.bring_back();
      tiers.lose(lost);
      if (std::popcount(lost) <= losses) {
        const int fewer = p > hosts ? static_cast<int>(lost % 2) : 0;  // but all hosts
        check_restored(tiers, redundancy, p - fewer, 2, p);
        continue;
      }
      const auto text = refusal(tiers, redundancy, p);
      if (std::popcount(lost) == hosts) {
        CHECK(contains(text, "no host of this job has a record of the local epochs"));
        continue;
      }
      CHECK(contains(text, "local epoch 2 (step 2) cannot be rebuilt"));
      CHECK(contains(text, "covers the loss of " + std::to_string(losses) + " of these " +
                               std::to_string(hosts) + " hosts"));
      for (int h = 0; h < hosts; ++h)
        CHECK(contains(text, "on n" + std::to_string(h) + " (missing)") == ((lost >> h & 1U) != 0));
    }
  }
}

TEST_CASE("groups of partners bear one loss each, also when their number is odd") {
  const int p = world().size();
  if (p < 5) return;
  const Tiers tiers(5);  // groups {0, 1, 2} and {3, 4}
  const auto redundancy = ckpt::Redundancy::partner();
  save(tiers, redundancy, p, 1);
  tiers.keep_copy();
  for (const unsigned lost : {0b01001U, 0b10100U, 0b10010U}) {
    tiers.bring_back();
    tiers.lose(lost);
    check_restored(tiers, redundancy, p, 1, p);
  }
  tiers.bring_back();
  tiers.lose(0b11000U);
  const auto text = refusal(tiers, redundancy, p);
  CHECK(contains(text, "on n3 (missing)"));
  CHECK(!contains(text, "on n0"));
}

TEST_CASE("a flipped byte in any file of a host is a loss, and is borne or refused like one") {
  const int p = world().size();
  if (p < 3) return;
  const Tiers tiers(3);
  const auto redundancy = ckpt::Redundancy::exclusive_or();
  save(tiers, redundancy, p, 1);
  tiers.keep_copy();
  const auto flip = [&](int host, std::string_view suffix, double where) {
    barrier(world());
    if (world().is_root()) {
      for (const auto& entry : fs::recursive_directory_iterator(tiers.host(host))) {
        if (!entry.path().string().ends_with(suffix)) continue;
        File file(entry.path(), O_RDWR);
        std::byte byte{};
        const auto at = static_cast<std::uint64_t>(where * static_cast<double>(file.size_bytes()));
        file.read_at({&byte, 1}, at);
        byte ^= std::byte{4};
        file.write_at({&byte, 1}, at);
      }
    }
    barrier(world());
  };
  for (const auto* const suffix : {".h5", ".parity", ".record"}) {
    for (const double where : {0.0, 0.3, 0.999}) {
      tiers.bring_back();
      flip(1, suffix, where);
      check_restored(tiers, redundancy, p, 1, p);
    }
  }
  tiers.bring_back();
  flip(1, ".h5", 0.5);
  tiers.lose(1U);
  const auto text = refusal(tiers, redundancy, p);
  CHECK(contains(text, "on n1 (damaged)"));
  CHECK(contains(text, "on n0 (missing)"));
}

TEST_CASE("a local save that fails leaves the one before, and the run goes on") {
  const int p = world().size();
  const Tiers tiers(std::min(p, 3));
  const auto redundancy = ckpt::Redundancy::exclusive_or();
  int failures = 0;
  for (const auto* const name :
       {"ckpt.local.begin", "ckpt.local.write", "ckpt.local.sync", "ckpt.local.parity",
        "ckpt.local.parity_synced", "ckpt.local.rename", "ckpt.local.record"}) {
    CAPTURE(name);
    const bool is_of_parity = contains(name, "parity");
    if (is_of_parity && p == 1) continue;
    tiers.lose(~0U);
    if (world().is_root()) fs::remove_all(tiers.shared());
    barrier(world());
    on_ranks(p, [&](const Communicator& comm) {
      Program program(comm, tiers.options(comm, redundancy));
      program.set(1);
      program.ckpt.save(1);
      const int rank = contains(name, "record") ? 0 : p - 1;
      arm_failpoints(std::string(name) + "=ENOSPC,rank=" + std::to_string(rank), comm.rank(), 0);
      program.set(2);
      const auto error = detail::error_of([&] { program.ckpt.save(2); });
      arm_failpoints("", comm.rank(), 0);
      CHECK(error);
      CHECK((!error || error->agreed()));
      failures += static_cast<int>(error.has_value());
    });
    check_restored(tiers, redundancy, p, 1, p);
  }
  CHECK(failures >= 5);
}

TEST_CASE("a disk that is full when a part is rebuilt is no loss: the restart says so and waits") {
  const int p = world().size();
  if (p < 3) return;
  const Tiers tiers(3);
  const auto redundancy = ckpt::Redundancy::exclusive_or();
  save(tiers, redundancy, p, 2);
  tiers.lose(2U);
  arm_failpoints("ckpt.local.rebuild=ENOSPC", world().rank(), 0);
  on_ranks(p, [&](const Communicator& comm) {
    Program program(comm, tiers.options(comm, redundancy));
    const auto error = detail::error_of([&] { (void)program.ckpt.restore(); });
    CHECK(error);
    if (!error) return;
    CHECK(error->agreed());
    CHECK(error->code() == Errc::unavailable);
    CHECK(contains(error->what(), "local epoch 2 can be had in full"));
  });
  arm_failpoints("", world().rank(), 0);
  check_restored(tiers, redundancy, p, 2, p);
}

TEST_CASE("pipes in the place of a host's record and of the job's file are not waited for") {
  const int p = world().size();
  const Tiers tiers(std::min(p, 2));
  const auto redundancy = p > 1 ? ckpt::Redundancy::partner() : ckpt::Redundancy::none();
  const auto replace = [&](const fs::path& folder, const auto& is_wanted) {
    barrier(world());
    std::vector<fs::path> found;
    if (world().is_root()) {
      for (const auto& entry : fs::recursive_directory_iterator(folder))
        if (is_wanted(entry.path())) found.push_back(entry.path());
      CHECK_FALSE(found.empty());
    }
    for (const auto& path : found) {
      fs::remove(path);
      CHECK(::mkfifo(path.c_str(), 0600) == 0);
    }
    barrier(world());
  };
  save(tiers, redundancy, p, 1);
  tiers.keep_copy();
  if (p > 1) {
    replace(tiers.host(0), [](const fs::path& path) { return path.extension() == ".record"; });
    check_restored(tiers, redundancy, p, 1, p);
  }
  tiers.bring_back();
  replace(tiers.shared(),
          [](const fs::path& path) { return path.filename().string().starts_with("job."); });
  on_ranks(p, [&](const Communicator& comm) {
    const auto error = detail::error_of([&] {
      Program program(comm, tiers.options(comm, redundancy));
      (void)program.ckpt.restore();
    });
    CHECK(error);
    if (!error) return;
    CHECK(error->agreed());
    CHECK(error->code() == Errc::bad_data);
    CHECK(contains(error->what(), "is not a file"));
  });
}
