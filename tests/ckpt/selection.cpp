// Which epoch a restart takes, by real checkpoints on hosts that have lost some of them: what the
// selection says, after two reductions, and never what cannot be read.

#include <fcntl.h>

#include <cstdio>
#include <functional>
#include <set>

#include "cairn/core/failpoint.hpp"
#include "cairn/core/file.hpp"
#include "local_record.hpp"
#include "tiers.hpp"

using namespace cairn;
using namespace cairn::test;

namespace {

int window_reductions = 0;
int digest_reductions = 0;

bool is_predefined(MPI_Op op) {
  for (MPI_Op each : {MPI_MAX, MPI_MIN, MPI_SUM, MPI_PROD, MPI_LAND, MPI_LOR, MPI_BAND, MPI_BOR})
    if (op == each) return true;
  return false;
}

/// What a restart did.
struct Restart {
  int step = 0;  // 0 when it was refused
  std::string warnings;
  std::string refusal;
  int windows = 0;  // first reductions, and second ones
  int digests = 0;
};

Restart restart(const Tiers& tiers, ckpt::Redundancy redundancy,
                const std::function<void(int)>& before = {}) {
  Restart result;
  Tiers::warnings().clear();
  on_ranks(world().size(), [&](const Communicator& comm) {
    Program program(comm, tiers.options(comm, redundancy));
    program.clear();
    if (before) before(comm.rank());
    window_reductions = digest_reductions = 0;
    const auto error = detail::error_of(
        [&] { result.step = static_cast<int>(program.ckpt.restore().value_or(0)); });
    result.windows = window_reductions;
    result.digests = digest_reductions;
    arm_failpoints("", comm.rank(), 0);
    if (error) {
      CHECK(error->agreed());
      CHECK(error->code() == Errc::bad_data);
      result.refusal = error->what();
    } else {
      CHECK(program.holds(result.step, particles_of(comm.size())));
    }
  });
  result.warnings = Tiers::warnings();
  CHECK(all_reduce(world(), result.step, Minimum{}) == all_reduce(world(), result.step, Maximum{}));
  return result;
}

/// On rank 0 alone there are warnings.
void check_warned(const Restart& restart, std::string_view text) {
  if (world().is_root())
    CHECK_MESSAGE(contains(restart.warnings, text), std::string(text)
                                                        << " in: " << restart.warnings);
}

/// Steps 1 … last, of which the hosts keep all that are local; epoch N is that of step N.
void save_all(const Tiers& tiers, ckpt::Redundancy redundancy, int last,
              std::uint64_t shared_every = 1000) {
  on_ranks(world().size(), [&](const Communicator& comm) {
    auto options = tiers.options(comm, redundancy);
    options.every = shared_every;
    options.local.keep = last;
    Program program(comm, options);
    program.save_steps(1, last);
  });
}

/// Rank 0 does something to every file of a host; then all go on.
void for_files(const Tiers& tiers, int host,
               const std::function<void(const fs::path&, std::uint64_t epoch)>& work) {
  barrier(world());
  if (world().is_root()) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(tiers.host(host)))
      if (entry.is_regular_file()) files.push_back(entry.path());
    for (const auto& path : files) {
      unsigned long long epoch = 0;
      if (std::sscanf(path.filename().c_str(), "epoch-%llu.", &epoch) == 1) work(path, epoch);
    }
  }
  barrier(world());
}

void keep_only(const Tiers& tiers, int host, const std::set<std::uint64_t>& epochs) {
  for_files(tiers, host, [&](const fs::path& path, std::uint64_t epoch) {
    if (!epochs.contains(epoch)) fs::remove(path);
  });
}

/// Only a checksum tells.
void flip(const fs::path& path) {
  File file(path, O_RDWR);
  std::byte byte{};
  const auto at = file.size_bytes() - 10;
  file.read_at({&byte, 1}, at);
  byte ^= std::byte{16};
  file.write_at({&byte, 1}, at);
}
void flip_parts(const Tiers& tiers, int host, std::uint64_t epoch) {
  for_files(tiers, host, [&](const fs::path& path, std::uint64_t of) {
    if (of == epoch && path.extension() == ".h5") flip(path);
  });
}

void write_over(const fs::path& path, const std::string& text) {
  File file(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
  file.write(std::as_bytes(std::span(text)));
}

const auto none = ckpt::Redundancy::none();
const auto exclusive_or = ckpt::Redundancy::exclusive_or();

}  // namespace

extern "C" int MPI_Allreduce(const void* in, void* out, int count, MPI_Datatype type, MPI_Op op,
                             MPI_Comm comm) {
  if (!is_predefined(op)) ++window_reductions;
  if (op == MPI_MAX && count == 4 && type == MPI_UINT64_T) ++digest_reductions;
  return PMPI_Allreduce(in, out, count, type, op, comm);
}

TEST_CASE("{4, 6} and {4, 5} give 4, at once") {
  const int p = world().size();
  const Tiers tiers(std::min(p, 2));
  save_all(tiers, none, 6);
  keep_only(tiers, 0, {4, 6});
  if (p > 1) keep_only(tiers, 1, {4, 5});
  const auto found = restart(tiers, none);
  CHECK(found.step == (p == 1 ? 6 : 4));
  CHECK(found.windows == 1);
  CHECK(found.digests == 1);
  if (p == 1) return;
  check_warned(found, "epoch 6 is not usable, trying an older one: local epoch 6 (step 6) cannot");
  check_warned(found, "on n1 (missing)");
  check_warned(found, "epoch 5 is not usable");
  check_warned(found, "on n0 (missing)");
}

TEST_CASE("of both tiers together: the shared epoch is the newest that all have") {
  const int p = world().size();
  if (p < 2) return;
  const Tiers tiers(2);
  save_all(tiers, none, 6, 4);  // 4 is a shared one
  keep_only(tiers, 0, {3, 6});
  keep_only(tiers, 1, {3, 5});
  const auto found = restart(tiers, none);
  CHECK(found.step == 4);
  CHECK(found.windows == 1);
  CHECK(found.digests == 1);
}

TEST_CASE("one node's directory of three is lost, then two") {
  const int p = world().size();
  if (p < 3) return;
  for (const bool has_shared : {false, true}) {
    const Tiers tiers(3);
    save_all(tiers, exclusive_or, 5, has_shared ? 3 : 1000);
    tiers.keep_copy();
    tiers.lose(0b010U);
    const auto one = restart(tiers, exclusive_or);
    CHECK(one.step == 5);
    CHECK(one.windows == 1);
    CHECK(one.digests == 1);
    check_warned(one, "rebuilding");
    tiers.bring_back();
    tiers.lose(0b110U);
    const auto two = restart(tiers, exclusive_or);
    check_warned(two, "local epoch 5 (step 5) cannot be rebuilt: lost are the part of rank ");
    check_warned(two, "on n1 (missing)");
    check_warned(two, "on n2 (missing); the redundancy covers the loss of 1 of these 3 hosts");
    CHECK(two.step == (has_shared ? 3 : 0));
    CHECK(contains(two.refusal, "the redundancy covers the loss of 1 of these 3 hosts") ==
          !has_shared);
    CHECK(two.windows == 1);
    CHECK(two.digests == (has_shared ? 1 : 0));
  }
}

TEST_CASE("a number that is another epoch on one host is passed over") {
  const int p = world().size();
  if (p < 2) return;
  const Tiers tiers(2);
  save_all(tiers, none, 3);
  for_files(tiers, 1, [](const fs::path& path, std::uint64_t epoch) {
    if (epoch != 3 || path.extension() != ".record") return;
    auto record = ckpt::parse_local_record(read_file(path));
    record.epoch.step = 9;
    write_over(path, ckpt::local_record_text(record));
  });
  const auto found = restart(tiers, none);
  CHECK(found.step == 2);
  CHECK(found.windows == 1);
  CHECK(found.digests == 2);
  check_warned(found, "epoch 3 is not the same one everywhere");
}

TEST_CASE("what fails only while it is read is offered no more, and is selected without") {
  const int p = world().size();
  if (p < 3) return;
  const Tiers tiers(3);
  save_all(tiers, exclusive_or, 3);
  tiers.keep_copy();
  flip_parts(tiers, 1, 3);  // covered: the same epoch once more
  const auto covered = restart(tiers, exclusive_or);
  CHECK(covered.step == 3);
  CHECK(covered.windows == 2);
  CHECK(covered.digests == 2);
  tiers.bring_back();
  flip_parts(tiers, 1, 3);
  flip_parts(tiers, 2, 3);
  const auto older = restart(tiers, exclusive_or);
  CHECK(older.step == 2);
  CHECK(older.windows == 2);
  check_warned(older, "on n1 (damaged)");
  check_warned(older, "on n2 (damaged)");
  tiers.bring_back();
  flip_parts(tiers, 1, 3);
  tiers.lose(0b100U);  // one is lost, one more while it is read; of the older epochs one is lost
  const auto both = restart(tiers, exclusive_or);
  CHECK(both.step == 2);
  check_warned(both, "on n1 (damaged)");
  check_warned(both, "on n2 (missing)");
}

TEST_CASE("a read that fails on one rank alone makes all take the older epoch") {
  const int p = world().size();
  const Tiers tiers(std::min(p, 3));
  save_all(tiers, none, 3, 1);
  const auto found = restart(tiers, none, [p](int rank) {
    arm_failpoints("ckpt.restore.read=EIO,hit=1,rank=" + std::to_string(p - 1), rank, 0);
  });
  CHECK(found.step == 2);
  CHECK(found.windows == 2);
  CHECK(found.digests == 2);
  barrier(world());
  if (world().is_root()) flip(tiers.shared() / "epoch-0000000003.h5");
  const auto flipped = restart(tiers, none);
  CHECK(flipped.step == 2);
  CHECK(flipped.windows == 2);
}

TEST_CASE("epochs of the nodes that an older launch published late are not selected") {
  const int p = world().size();
  const Tiers tiers(std::min(p, 3));
  save_all(tiers, none, 2);
  CHECK(restart(tiers, none).step == 2);  // confirms that {1: 2} counts
  for (int host = 0; host < tiers.hosts(); ++host) {
    for_files(tiers, host, [](const fs::path& path, std::uint64_t epoch) {
      if (epoch != 2) return;
      auto late = path.string();
      late.replace(late.rfind("epoch-0000000002"), 16, "epoch-0000000009");
      fs::copy_file(path, late);
      if (path.extension() != ".record") return;
      auto record = ckpt::parse_local_record(read_file(path));
      record.epoch.epoch = 9;
      record.epoch.step = 9;
      write_over(late, ckpt::local_record_text(record));
    });
  }
  CHECK(restart(tiers, none).step == 2);
}

TEST_CASE("a shared epoch more than 64 numbers back is found") {
  const int p = world().size();
  if (p != 3) return;
  const Tiers tiers(3);
  on_ranks(p, [&](const Communicator& comm) {
    auto options = tiers.options(comm, none);
    options.every = 1000;
    Program program(comm, options);
    program.save_steps(1000, 1065);
  });
  tiers.lose(0b001U);
  const auto found = restart(tiers, none);
  CHECK(found.step == 1000);
  CHECK(found.windows == 2);
  CHECK(found.digests == 1);
}
