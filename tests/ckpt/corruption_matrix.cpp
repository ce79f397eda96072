// Every way in which the newest of two small epochs can be damaged: all ranks find the older epoch
// bit for bit, or the same one where no byte that was read is another, or all refuse alike.
//
// The damage lies where it falls: in the block of one rank, which then sees it alone. Every case is
// counted; CAIRN_TEST_LONG=1 takes all of them, otherwise a seeded sample of the larger kinds.

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>

#include "cairn/core/error.hpp"
#include "cairn/core/file.hpp"
#include "cairn/core/random.hpp"
#include "fixture.hpp"
#include "record.hpp"

using namespace cairn;
using namespace cairn::test;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t rows = 12;
constexpr std::size_t columns = 10;
constexpr std::size_t particles = 1031;  // fields under 4 KiB are not compressed

bool is_long() { return std::getenv("CAIRN_TEST_LONG") != nullptr; }

void write_bytes(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// A program with a grid, whole numbers, and one value, which all follow from the step.
class Program {
 public:
  explicit Program(const fs::path& directory,
                   const std::function<void(std::string_view)>& warn = {})
      : u_(world(), rows, columns),
        first_(particles * static_cast<std::size_t>(world().rank()) /
               static_cast<std::size_t>(world().size())),
        ckpt(world(), {.directory = directory,
                       .warn = warn,
                       .signals = ckpt::Options::Signals::leave_alone}) {
    const auto last = particles * static_cast<std::size_t>(world().rank() + 1) /
                      static_cast<std::size_t>(world().size());
    ids_.resize(last - first_);
    ckpt.field("u", u_.data, u_.block, {{"units", std::string("K")}});
    ckpt.field("particles/id", ids_, {{particles}, {first_}, {ids_.size()}},
               ckpt::Compression::shuffle_zstd);
    ckpt.value("time", time_);
  }

  void set(int step) {
    u_.fill(step);
    for (std::size_t i = 0; i < ids_.size(); ++i) ids_[i] = id(i, step);
    time_ = 0.5 * step;
  }
  void clear() {
    u_.clear();
    std::fill(ids_.begin(), ids_.end(), -1);
    time_ = -1;
  }
  [[nodiscard]] bool holds(int step) {
    bool good = u_.holds(step) && time_ == 0.5 * step;
    for (std::size_t i = 0; i < ids_.size(); ++i) good = good && ids_[i] == id(i, step);
    return good;
  }

 private:
  [[nodiscard]] std::int32_t id(std::size_t i, int step) const {
    return static_cast<std::int32_t>((first_ + i) * 7919) ^ step;
  }

  GridField u_;
  std::size_t first_;
  std::vector<std::int32_t> ids_;
  double time_ = 0;

 public:
  ckpt::Checkpointer ckpt;
};

/// Epochs of `first_step` and the step after it.
void save_two_epochs(const fs::path& directory, int first_step) {
  Program program(directory);
  for (const int step : {first_step, first_step + 1}) {
    program.set(step);
    program.ckpt.save(static_cast<std::uint64_t>(step));
  }
}

/// What a restart came to, on all ranks.
enum class Outcome { newest, older, refused, nothing, wrong };

/// Two epochs, of which the newest is damaged again and again.
class Patient {
 public:
  static constexpr int older_step = 1;
  static constexpr int newest_step = 2;

  Patient() {
    save_two_epochs(scratch_.path, older_step);
    barrier(world());
    data = scratch_.path / "epoch-0000000002.h5";
    record = scratch_.path / "epoch-0000000002.record";
    good_data = read_file(data);
    good_record = read_file(record);
    barrier(world());
    program_.emplace(scratch_.path);
  }

  /// Restarts; every rank must come to the same.
  Outcome restart() {
    ++cases;
    program_->clear();
    auto outcome = Outcome::wrong;
    try {
      const auto step = program_->ckpt.restore();
      if (!step) outcome = Outcome::nothing;
      if (step && program_->holds(static_cast<int>(*step)))
        outcome = *step == newest_step ? Outcome::newest : Outcome::older;
    } catch (const Error& error) {
      if (error.agreed()) outcome = Outcome::refused;
    }
    const auto mine = static_cast<int>(outcome);
    const auto least = all_reduce(world(), mine, Minimum{});
    const auto most = all_reduce(world(), mine, Maximum{});
    return least == most ? outcome : Outcome::wrong;
  }

  /// Puts the good files back, lets rank 0 damage them, and restarts.
  template <typename Damage>
  Outcome after(Damage&& damage) {
    if (world().is_root()) {
      heal();
      damage();
    }
    barrier(world());
    return restart();
  }

  /// Restarts with other bytes in a file: only the same bytes may be taken for the newest epoch.
  void expect_older(const fs::path& file, const std::string& bytes, const std::string& what) {
    const bool same = bytes == (file == data ? good_data : good_record);
    const auto outcome = after([&] { write_bytes(file, bytes); });
    CAPTURE(what);
    CHECK(outcome == (same ? Outcome::newest : Outcome::older));
  }

  [[nodiscard]] const fs::path& directory() const { return scratch_.path; }
  [[nodiscard]] fs::path older(const char* suffix) const {
    return scratch_.path / (std::string("epoch-0000000001") + suffix);
  }

  std::size_t cases = 0;
  fs::path data, record;
  std::string good_data, good_record;

 private:
  void heal() const {
    for (const auto& path : {data, record}) {
      std::error_code error;
      if (!fs::is_regular_file(fs::symlink_status(path, error))) fs::remove_all(path);
    }
    write_bytes(data, good_data);
    write_bytes(record, good_record);
    for (const auto& entry : fs::directory_iterator(scratch_.path)) {
      const auto name = entry.path().filename().string();
      if (name != "lock" && !name.starts_with("inc.") && name.substr(0, 16) != "epoch-0000000001" &&
          entry.path() != data && entry.path() != record)
        fs::remove_all(entry.path());
    }
  }

  SharedDirectory scratch_;
  std::optional<Program> program_;
};

std::string flipped(std::string bytes, std::size_t at, int bit) {
  bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
  return bytes;
}

/// How much smaller the short form's samples are where ranks have to wait for each other: restarts
/// then take ten times as long on a busy machine.
std::uint64_t thinning() {
  return world().size() == 1 ? 1 : 10 * static_cast<std::uint64_t>(world().size() - 1);
}

/// The bits of a byte to flip: all, or one of the byte, or of some bytes, that its place chooses.
std::vector<int> bits_of(std::size_t place) {
  if (is_long()) return {0, 1, 2, 3, 4, 5, 6, 7};
  const Random random(11);
  if (random.below(2 * place, thinning()) != 0) return {};
  return {static_cast<int>(random.below(2 * place + 1, 8))};
}

std::string swapped(std::string bytes, std::uint64_t a, std::uint64_t b, std::size_t length) {
  std::swap_ranges(bytes.begin() + static_cast<std::ptrdiff_t>(a),
                   bytes.begin() + static_cast<std::ptrdiff_t>(a + length),
                   bytes.begin() + static_cast<std::ptrdiff_t>(b));
  return bytes;
}

}  // namespace

TEST_CASE("every byte of the record and of the structure matters") {
  Patient patient;
  const auto version = patient.good_record.find(" xxh3") - 1;
  REQUIRE(patient.good_record.at(version) == '3');  // that of compressed fields
  for (std::size_t at = 0; at < patient.good_record.size(); ++at) {
    for (const int bit : bits_of(at)) {
      const auto bytes = flipped(patient.good_record, at, bit);
      const bool is_known = bytes[at] >= '1' && bytes[at] <= '4';
      if (at == version && std::isdigit(static_cast<unsigned char>(bytes[at])) != 0 && !is_known) {
        // It might be of a later format, which is refused rather than passed over.
        CHECK(patient.after([&] { write_bytes(patient.record, bytes); }) == Outcome::refused);
      } else {
        patient.expect_older(patient.record, bytes, "record, byte " + std::to_string(at));
      }
    }
  }
  for (const auto& range : ckpt::parse_record(patient.good_record).structure) {
    for (std::size_t i = 0; i < range.length_bytes; ++i) {
      const auto at = range.offset_bytes + i;
      for (const int bit : bits_of(at))
        patient.expect_older(patient.data, flipped(patient.good_data, at, bit),
                             "structure, byte " + std::to_string(at));
    }
  }
  if (world().is_root()) MESSAGE(patient.cases << " flips in record and structure");
}

TEST_CASE("random flips anywhere in the data") {
  Patient patient;
  const Random random(12);
  const std::uint64_t trials = is_long() ? 10000 : 1000 / thinning();
  for (std::uint64_t trial = 0; trial < trials; ++trial) {
    auto bytes = patient.good_data;
    const auto flips = 1 + random.below(trial * 40, 8);  // a burst in one, or bits in several ranks
    for (std::uint64_t k = 1; k <= flips; ++k) {
      const auto at = random.below(trial * 40 + 2 * k, bytes.size());
      bytes = flipped(bytes, at, static_cast<int>(random.below(trial * 40 + 2 * k + 1, 8)));
    }
    patient.expect_older(patient.data, bytes, "trial " + std::to_string(trial));
  }
  if (world().is_root()) MESSAGE(patient.cases << " random flips");
}

TEST_CASE("truncated, extended, and with lost sectors") {
  Patient patient;
  const Random random(13);
  for (const auto* file : {&patient.data, &patient.record}) {
    const auto& good = file == &patient.data ? patient.good_data : patient.good_record;
    for (std::size_t length = 0; length < good.size(); ++length) {
      const bool is_end = length < 2 || length + 2 > good.size() || length % 512 == 0;
      if (is_long() || is_end || random.below(length, 64) == 0)
        patient.expect_older(*file, good.substr(0, length), "length " + std::to_string(length));
    }
    for (const std::size_t more : {1, 511, 512, 4096, 1 << 20})
      patient.expect_older(*file, good + std::string(more, '\0'), "longer");
    patient.expect_older(*file, good + good, "twice");
    for (std::size_t at = 0; at < good.size(); at += 512) {
      auto lost = good;
      std::fill(lost.begin() + static_cast<std::ptrdiff_t>(at),
                lost.begin() + static_cast<std::ptrdiff_t>(std::min(at + 512, lost.size())), '\0');
      patient.expect_older(*file, lost, "zeros at " + std::to_string(at));
      patient.expect_older(*file,
                           swapped(good, 0, at, std::min<std::size_t>(512, good.size() - at)),
                           "sectors swapped");
    }
  }
  if (world().is_root()) MESSAGE(patient.cases << " lengths and sectors");
}

TEST_CASE("parts of the newest epoch that stand in each other's place, or come from elsewhere") {
  Patient patient;
  const auto record = ckpt::parse_record(patient.good_record);
  const auto older = read_file(patient.older(".h5"));
  const auto other = patient.directory() / "other";
  save_two_epochs(other, 7);
  barrier(world());
  const auto foreign = read_file(other / "epoch-0000000002.h5");
  const auto foreign_record = read_file(other / "epoch-0000000002.record");
  barrier(world());
  CHECK(foreign.size() == patient.good_data.size());
  for (const auto& field : record.fields) {
    const auto size = ckpt::size_of(field.type);
    const auto row = size * field.global.back();
    const auto bytes = row * (field.global.size() == 1 ? 1 : field.global[0]);
    const auto first_of = [&](const ckpt::PartRecord& part) {
      std::size_t index = 0;
      for (std::size_t axis = 0; axis < field.global.size(); ++axis)
        index = index * field.global[axis] + part.box.offset[axis];
      return field.offset_bytes + index * size;
    };
    for (const auto& a : field.parts) {
      for (const auto& b : field.parts) {
        if (first_of(a) >= first_of(b)) continue;
        const auto run = std::min(a.box.count.back(), b.box.count.back()) * size;
        patient.expect_older(patient.data,
                             swapped(patient.good_data, first_of(a), first_of(b), run),
                             "rows of two parts of " + field.name);
      }
    }
    for (const auto& source : {older, foreign}) {
      auto mixed = patient.good_data;
      mixed.replace(field.offset_bytes, bytes, source, field.offset_bytes, bytes);
      patient.expect_older(patient.data, mixed, "field of another epoch");
    }
  }
  patient.expect_older(patient.data, older, "data of another epoch");
  patient.expect_older(patient.data, foreign, "data of another run");
  patient.expect_older(patient.record, read_file(patient.older(".record")), "record of the other");
  patient.expect_older(patient.record, foreign_record, "record of another run");
  barrier(world());
  // Under another number neither the record nor the data is what it was.
  for (const bool with_data : {false, true}) {
    const auto outcome = patient.after([&] {
      fs::rename(patient.record, patient.directory() / "epoch-0000000009.record");
      if (with_data) fs::rename(patient.data, patient.directory() / "epoch-0000000009.h5");
    });
    CHECK(outcome == Outcome::older);
  }
  if (world().is_root()) MESSAGE(patient.cases << " exchanges");
}

TEST_CASE("no file at all, or something else in its place") {
  Patient patient;
  const auto aside = patient.directory() / "aside";
  for (const auto* file : {&patient.data, &patient.record}) {
    const auto replaced_by = [&](auto&& make) {
      return patient.after([&] {
        fs::remove(*file);
        make();
      });
    };
    const auto& good = file == &patient.data ? patient.good_data : patient.good_record;
    CHECK(replaced_by([] {}) == Outcome::older);
    CHECK(replaced_by([&] { fs::create_directory(*file); }) == Outcome::older);
    CHECK(replaced_by([&] { fs::create_symlink("nowhere", *file); }) == Outcome::older);
    CHECK(replaced_by([&] { fs::create_symlink(file->filename(), *file); }) == Outcome::older);
    CHECK(replaced_by([&] { fs::create_symlink("/dev/zero", *file); }) == Outcome::older);
    // Opening a pipe would wait for its other end.
    CHECK(replaced_by([&] { CHECK(::mkfifo(file->c_str(), 0600) == 0); }) == Outcome::older);
    // A link to the right bytes is good for reading: the digests decide.
    CHECK(replaced_by([&] {
            write_bytes(aside, good);
            fs::create_symlink("aside", *file);
          }) == Outcome::newest);
    CHECK(replaced_by([&] {
            write_bytes(aside, flipped(good, good.size() / 2, 3));
            fs::create_symlink("aside", *file);
          }) == Outcome::older);
  }
  CHECK(patient.after([] {}) == Outcome::newest);
  if (world().is_root()) MESSAGE(patient.cases << " things in the place of files");
}
