// Slot files after crashes: every torn write, lost writes, flips, exchanges.

#include "cairn/consensus/slot_file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "journal_files.hpp"
#include "other_process.hpp"
#include "recorded_files.hpp"
#include "scratch.hpp"
#include "slot_format.hpp"

using namespace cairn;
using namespace cairn::consensus;
using namespace cairn::test;
namespace fs = std::filesystem;

namespace {

using Bytes = std::vector<std::byte>;
using State = RecoveredSlots::State;

SlotIdentity identity_of(int node) {
  SlotIdentity identity{};
  identity[0] = static_cast<std::byte>(node + 1);
  return identity;
}
const SlotIdentity own = identity_of(2);

/// Record number s of a test; of another length each time.
Bytes payload_of(std::uint64_t sequence, std::size_t largest) {
  Bytes bytes(1 + (sequence * 37) % largest);
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::byte>(sequence * 31 + i);
  return bytes;
}

Bytes read_all(const fs::path& path) {
  const auto text = bytes_of(path);
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}
void write_all(const fs::path& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

/// The file after each of `count` records, beginning with none.
std::vector<Bytes> states(const SlotFileOptions& options, std::uint64_t count) {
  const Scratch scratch;
  auto file = SlotFile::create(scratch / "slots", own, options);
  std::vector<Bytes> all{read_all(scratch / "slots")};
  for (std::uint64_t s = 1; s <= count; ++s) {
    file.write(payload_of(s, options.payload_bytes));
    all.push_back(read_all(scratch / "slots"));
  }
  return all;
}

bool holds(const RecoveredSlots& recovered, std::uint64_t sequence, std::size_t largest) {
  if (sequence == 0) return recovered.state == State::blank;
  return recovered.state == State::valid && recovered.sequence == sequence &&
         recovered.payload == payload_of(sequence, largest);
}

/// Shapes of one sector and of several, with each number of slots.
const std::vector<SlotFileOptions> shapes{{.slots = 2, .payload_bytes = 100},
                                          {.slots = 2, .payload_bytes = 1000},
                                          {.slots = 3, .payload_bytes = 432},
                                          {.slots = 3, .payload_bytes = 2000},
                                          {.slots = 4, .payload_bytes = 900}};

}  // namespace

TEST_CASE("the last record is found; blank is what the file says itself") {
  for (const auto& shape : shapes) {
    const auto all = states(shape, 11);
    for (std::uint64_t s = 0; s < all.size(); ++s) {
      CAPTURE(s);
      CHECK(holds(recover_slots(all[s], own), s, shape.payload_bytes));
      CHECK(holds(recover_slots(all[s], own, s), s, shape.payload_bytes));
      CHECK(recover_slots(all[s], own, s + 1).state == State::unreadable);
      CHECK(recover_slots(all[s], identity_of(3)).state == State::unreadable);
    }
  }
}

TEST_CASE("missing, empty, zeroed, short and long files are unreadable, never blank") {
  const Scratch scratch;
  const auto path = scratch / "slots";
  const auto state = [&] {
    auto opened = SlotFile::open(path, own);
    CHECK(!opened.first);
    CHECK(!opened.second.why.empty());
    return opened.second.state;
  };
  CHECK(state() == State::unreadable);
  const auto blank = states({}, 0).front();
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{511},
                                   std::size_t{512}, blank.size() - 1, blank.size() + 512}) {
    auto bytes = blank;
    bytes.resize(length);
    write_all(path, bytes);
    CHECK(state() == State::unreadable);
  }
  write_all(path, Bytes(blank.size()));
  CHECK(state() == State::unreadable);
  fs::remove(path);
  fs::create_directory(path);
  CHECK(state() == State::unreadable);
}

TEST_CASE("a write that is torn between sectors leaves the record before, or the new one") {
  for (const auto& shape : shapes) {
    const auto all = states(shape, 9);
    for (std::uint64_t s = 1; s < all.size(); ++s) {
      std::vector<std::size_t> sectors;  // that the write changes
      for (std::size_t at = 0; at < all[s].size(); at += sector_bytes)
        if (!std::equal(all[s].begin() + static_cast<std::ptrdiff_t>(at),
                        all[s].begin() + static_cast<std::ptrdiff_t>(at + sector_bytes),
                        all[s - 1].begin() + static_cast<std::ptrdiff_t>(at)))
          sectors.push_back(at);
      for (std::uint32_t subset = 0; subset < 1U << sectors.size(); ++subset) {
        auto torn = all[s - 1];
        for (std::size_t i = 0; i < sectors.size(); ++i)
          if ((subset >> i & 1U) != 0)
            std::copy_n(all[s].begin() + static_cast<std::ptrdiff_t>(sectors[i]), sector_bytes,
                        torn.begin() + static_cast<std::ptrdiff_t>(sectors[i]));
        const bool is_whole = subset + 1 == 1U << sectors.size();
        CAPTURE(s);
        CAPTURE(subset);
        CHECK(holds(recover_slots(torn, own), is_whole ? s : s - 1, shape.payload_bytes));
      }
    }
  }
}

TEST_CASE("a second torn write of the same number is no record either") {
  const SlotFileOptions shape{.slots = 2, .payload_bytes = 1000};  // three sectors
  const auto all = states(shape, 3);
  const auto slot = 3 % 2 * 3 * sector_bytes;
  const auto second =
      slot_bytes({.sequence = 3,
                  .parent = sealed_head(std::span(all[2]).first(sector_bytes))->record,
                  .identity = own,
                  .slot = 1,
                  .slots = 2,
                  .sectors = 3},
                 payload_of(77, 1000));
  for (std::size_t cut = 1; cut < 3; ++cut) {
    auto mixed = all[3];
    std::copy_n(second.begin(), cut * sector_bytes,
                mixed.begin() + static_cast<std::ptrdiff_t>(slot));
    CHECK(holds(recover_slots(mixed, own), 2, 1000));
  }
}

TEST_CASE("a write that is torn at any byte leaves the old record, the new one, or abstention") {
  for (const auto& shape : shapes) {
    const auto all = states(shape, 6);
    for (std::uint64_t s = 1; s < all.size(); ++s) {
      std::size_t abstentions = 0;
      for (std::size_t cut = 0; cut <= all[s].size(); ++cut) {
        for (const bool is_front_new : {true, false}) {
          auto torn = is_front_new ? all[s] : all[s - 1];
          const auto& rest = is_front_new ? all[s - 1] : all[s];
          std::copy(rest.begin() + static_cast<std::ptrdiff_t>(cut), rest.end(),
                    torn.begin() + static_cast<std::ptrdiff_t>(cut));
          const auto recovered = recover_slots(torn, own);
          if (recovered.state == State::unreadable) {
            ++abstentions;
          } else if (!holds(recovered, s, shape.payload_bytes) &&
                     !holds(recovered, s - 1, shape.payload_bytes)) {
            CAPTURE(s);
            CAPTURE(cut);
            CHECK(false);
          }
        }
      }
      CHECK(abstentions > 0);
    }
  }
}

TEST_CASE("every flipped bit, and every overwritten sector, is noticed") {
  for (const auto& shape : shapes) {
    const auto all = states(shape, 5);
    for (const std::size_t s : {std::size_t{0}, std::size_t{1}, std::size_t{5}}) {
      std::size_t accepted = 0;
      for (std::size_t bit = 0; bit < 8 * all[s].size(); ++bit) {
        auto flipped = all[s];
        flipped[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        accepted += recover_slots(flipped, own).state == State::unreadable ? 0 : 1;
      }
      CHECK(accepted == 0);
      for (std::size_t at = 0; at < all[s].size(); at += sector_bytes) {
        for (const auto fill : {std::byte{0}, std::byte{255}}) {
          auto lost = all[s];
          std::fill_n(lost.begin() + static_cast<std::ptrdiff_t>(at), sector_bytes, fill);
          CHECK(recover_slots(lost, own).state == State::unreadable);
        }
      }
    }
  }
}

TEST_CASE("exchanged slots, and those of other files, are unreadable") {
  for (const auto& shape : shapes) {
    const auto bytes = states(shape, 7).back();
    const auto size = static_cast<std::ptrdiff_t>(bytes.size()) / shape.slots;
    for (int a = 0; a < shape.slots; ++a) {
      for (int b = 0; b < shape.slots; ++b) {
        if (a == b) continue;
        auto copied = bytes;  // a misdirected write
        std::copy_n(bytes.begin() + a * size, size, copied.begin() + b * size);
        CHECK(recover_slots(copied, own).state == State::unreadable);
        std::copy_n(bytes.begin() + b * size, size, copied.begin() + a * size);
        CHECK(recover_slots(copied, own).state == State::unreadable);
      }
    }
    // The same records in the file of another node.
    const Scratch scratch;
    auto file = SlotFile::create(scratch / "other", identity_of(4), shape);
    for (std::uint64_t s = 1; s <= 7; ++s) file.write(payload_of(s, shape.payload_bytes));
    const auto other = read_all(scratch / "other");
    for (int a = 0; a < shape.slots; ++a) {
      auto foreign = bytes;
      std::copy_n(other.begin() + a * size, size, foreign.begin() + a * size);
      CHECK(recover_slots(foreign, own).state == State::unreadable);
    }
  }
}

TEST_CASE("a sector of another place, or of an older record, is no unfinished write") {
  const SlotFileOptions shape{.slots = 2, .payload_bytes = 1000};  // three sectors
  const auto all = states(shape, 7);
  const auto put = [](Bytes& to, std::size_t at, const Bytes& from, std::size_t source) {
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(source * sector_bytes), sector_bytes,
                to.begin() + static_cast<std::ptrdiff_t>(at * sector_bytes));
  };
  for (std::size_t to = 0; to < 6; ++to) {
    for (std::size_t from = 0; from < 6; ++from) {
      if (to == from) continue;
      auto misdirected = all[7];
      put(misdirected, to, all[7], from);
      CHECK(recover_slots(misdirected, own).state == State::unreadable);
    }
    for (const std::size_t age : {1, 2, 3}) {  // what stood there before, and before that
      auto stale = all[7];
      put(stale, to, all[age], to);
      CHECK(recover_slots(stale, own).state == State::unreadable);
    }
  }
}

TEST_CASE("a lost write shows when another one followed, or when its number is known") {
  for (const auto& shape : shapes) {
    const auto all = states(shape, 9);
    const auto size = static_cast<std::ptrdiff_t>(all[0].size()) / shape.slots;
    for (std::uint64_t lost = 1; lost < all.size(); ++lost) {
      auto disk = all[lost - 1];  // the write of `lost` reported success and did nothing
      CHECK(holds(recover_slots(disk, own), lost - 1, shape.payload_bytes));
      CHECK(recover_slots(disk, own, lost).state == State::unreadable);
      for (std::uint64_t s = lost + 1; s < all.size(); ++s) {
        const auto at =
            static_cast<std::ptrdiff_t>(s % static_cast<std::uint64_t>(shape.slots)) * size;
        std::copy_n(all[s].begin() + at, size, disk.begin() + at);
        const auto recovered = recover_slots(disk, own);
        CAPTURE(lost);
        CAPTURE(s);
        // Until its slot is written over, and then nothing is missing any more.
        const bool is_past = s >= lost + static_cast<std::uint64_t>(shape.slots);
        CHECK((is_past ? holds(recovered, s, shape.payload_bytes)
                       : recovered.state == State::unreadable));
      }
    }
  }
}

TEST_CASE("records of another history do not follow each other") {
  const SlotFileOptions shape{.slots = 3, .payload_bytes = 100};
  const auto all = states(shape, 5);
  const Scratch scratch;
  auto file = SlotFile::create(scratch / "slots", own, shape);
  for (std::uint64_t s = 1; s <= 5; ++s) file.write(payload_of(s + 20, 100));
  const auto other = read_all(scratch / "slots");
  const auto size = static_cast<std::ptrdiff_t>(other.size()) / 3;
  for (int slot = 0; slot < 3; ++slot) {
    auto mixed = all[5];
    std::copy_n(other.begin() + slot * size, size, mixed.begin() + slot * size);
    CHECK(recover_slots(mixed, own).state == State::unreadable);
  }
}

TEST_CASE("a file is made once, and written on after each opening") {
  const Scratch scratch;
  const auto path = scratch / "slots";
  { const auto file = SlotFile::create(path, own); }
  CHECK_THROWS_AS((void)SlotFile::create(path, own), Error);
  for (std::uint64_t s = 1; s <= 7; ++s) {
    auto [file, recovered] = SlotFile::open(path, own);
    CHECK(holds(recovered, s - 1, 432));
    CHECK(file->sequence() == s - 1);
    file->write(payload_of(s, 432));
    CHECK(file->sequence() == s);
  }
  auto [file, recovered] = SlotFile::open(path, own);
  CHECK_THROWS_AS(file->write(Bytes(433)), Error);
}

TEST_CASE("a record that a killed writer left in memory is durable once it was read") {
  const Scratch scratch;
  const auto path = scratch / "slots";
  FileRecorder recorder(scratch.path());
  { SlotFile::create(path, own).write(payload_of(1, 432)); }
  {
    auto opened = SlotFile::open(path, own);
    arm_failpoints("slots.sync=EIO", 0, 0);
    CHECK_THROWS_AS(opened.first->write(payload_of(2, 432)), Error);
    arm_failpoints("", 0, 0);
  }
  CHECK(holds(SlotFile::open(path, own).second, 2, 432));
  const auto& operations = recorder.operations();
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto files = files_after(operations, operations.size(), Crash::any_subset, seed);
    CHECK(holds(recover_slots(files.at("slots"), own), 2, 432));
  }
}

TEST_CASE("so is what it left of a journal's log") {
  const Scratch scratch;
  const FileRecorder recorder(scratch.path());
  const journal::Head head{.identity = own, .node = 0, .nodes = 3};
  journal::create_files(scratch.path(), head);
  const auto log = scratch / journal::log_name;
  {
    journal::Bytes text;
    journal::append_text(text, "never synced");
    File(log, O_WRONLY | O_APPEND).write(text);
  }
  CHECK(journal::open_files(scratch.path(), head).recovered.log.texts.size() == 1);
  const auto& operations = recorder.operations();
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto files = files_after(operations, operations.size(), Crash::any_subset, seed);
    CHECK(journal::parse_log(files.at(journal::log_name)).texts.size() == 1);
  }
}

TEST_CASE("a kill or an error in a write leaves the old or the new record") {
  for (const char* const name : {"slots.write", "slots.sync", "slots.synced"}) {
    for (const char* const action : {"kill", "EIO"}) {
      CAPTURE(name);
      const Scratch scratch;
      const auto path = scratch / "slots";
      { SlotFile::create(path, own).write(payload_of(1, 432)); }
      OtherProcess process([&] {
        auto opened = SlotFile::open(path, own);
        arm_failpoints(std::string(name) + "=" + action, 0, 0);
        try {
          opened.first->write(payload_of(2, 432));
        } catch (const Error&) {
          arm_failpoints("", 0, 0);
          try {
            opened.first->write(payload_of(2, 432));  // must be opened again first
          } catch (const Error& error) {
            return error.code() == Errc::internal ? 1 : 2;
          }
        }
        return 0;
      });
      CHECK(process.wait() == (std::string(action) == "kill" ? 128 + SIGKILL : 1));
      auto [file, recovered] = SlotFile::open(path, own);
      CHECK(file);
      const bool is_new = std::string(name) != "slots.write";
      CHECK(holds(recovered, is_new ? 2 : 1, 432));
    }
  }
}
