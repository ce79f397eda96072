// Compressed fields: back on any number of ranks, in every combination that there is, and damage.

#include <fcntl.h>

#include <algorithm>
#include <set>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/ckpt/inspect.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/core/file.hpp"
#include "cairn/core/random.hpp"
#include "compressed_fields.hpp"
#include "crc.hpp"
#include "data_file.hpp"
#include "fixture.hpp"
#include "record.hpp"

using namespace cairn;
using namespace cairn::test;
using ckpt::Compression;
namespace fs = std::filesystem;

namespace {

template <typename Work>
void on_root(Work&& work) {
  if (world().is_root()) work();
  barrier(world());
}

void save(const Communicator& comm, const ckpt::Options& options, int seed) {
  Fields fields(comm);
  fields.fill(seed);
  ckpt::Checkpointer ckpt(comm, options);
  fields.add_to(ckpt);
  ckpt.save(static_cast<std::uint64_t>(seed));
  ckpt.wait();
}

bool comes_back(const Communicator& comm, const ckpt::Options& options, int seed) {
  Fields fields(comm);
  ckpt::Checkpointer ckpt(comm, options);
  fields.add_to(ckpt);
  return ckpt.restore() == static_cast<std::uint64_t>(seed) && fields.hold(seed);
}

std::vector<int> some_counts() {
  std::vector<int> counts{1};
  for (const int count : {2, 3, 7})
    if (count <= world().size()) counts.push_back(count);
  return counts;
}

}  // namespace

TEST_CASE("compressed fields of every kind come back on any number of ranks") {
  for (const auto from : std::set{1, world().size()}) {
    const SharedDirectory scratch;
    on_ranks(from, [&](const Communicator& comm) {
      save(comm, {.directory = scratch.path, .compression = Compression::shuffle_zstd}, 5);
    });
    for (const auto to : some_counts()) {
      CAPTURE(from);
      CAPTURE(to);
      on_ranks(to, [&](const Communicator& comm) {
        CHECK(comes_back(comm, {.directory = scratch.path}, 5));
      });
    }
  }
}

TEST_CASE("so do they with every codec, in the background, and encrypted") {
  for (const auto codec : {Compression::shuffle_lz4, Compression::shuffle_deflate}) {
    const SharedDirectory scratch;
    save(world(), {.directory = scratch.path, .compression = codec}, 6);
    CHECK(comes_back(world(), {.directory = scratch.path}, 6));
  }
  const SharedDirectory scratch;
  save(world(),
       {.directory = scratch.path,
        .mode = ckpt::Options::Mode::async,
        .compression = Compression::shuffle_zstd},
       7);
  CHECK(comes_back(world(), {.directory = scratch.path}, 7));
}

TEST_CASE("epochs in the background are what the fields were, and recycled files grow and shrink") {
  const SharedDirectory scratch;
  std::uint64_t number = 0;
  std::vector<double> u(40000);
  const auto first = u.size() * static_cast<std::size_t>(world().rank());
  const ckpt::Block block{{u.size() * static_cast<std::size_t>(world().size())}, {first}, {40000}};
  const auto fill = [&](std::uint64_t step) {  // the larger the step's last digit, the rougher
    for (std::size_t i = 0; i < u.size(); ++i) {
      const auto rough = noise(first + i, static_cast<int>(step)) % (step % 3 == 0 ? 2 : 1 << 30);
      u[i] = static_cast<double>(step) + static_cast<double>(rough);
    }
  };
  ckpt::Options options{.directory = scratch.path,
                        .mode = ckpt::Options::Mode::async,
                        .pieces = ckpt::Options::Pieces::changed,
                        .compression = Compression::shuffle_zstd};
  {
    ckpt::Checkpointer ckpt(world(), options);
    ckpt.field("u", u, block);
    ckpt.value("number", number);
    for (std::uint64_t step = 1; step <= 9; ++step) {
      fill(step);
      number = step;
      ckpt.save(step);
      fill(1000 + step);
      number = 1000 + step;
      for (int poll = 0; poll < 20; ++poll) (void)ckpt.due(1000 + step);
    }
    ckpt.wait();
  }
  ckpt::Checkpointer ckpt(world(), {.directory = scratch.path});
  ckpt.field("u", u, block);
  ckpt.value("number", number);
  std::fill(u.begin(), u.end(), 0);
  CHECK(ckpt.restore() == 9);
  CHECK(number == 9);
  const auto found = u;
  fill(9);
  CHECK(u == found);
  if (!world().is_root()) return;
  for (const auto& entry : ckpt::epochs_in(scratch.path)) {
    CHECK(entry.verdict == ckpt::Verdict::committed);
    CHECK(ckpt::verify(scratch.path, entry.epoch).bad.empty());
    CHECK(entry.info->fields[0].stored_bytes < entry.info->fields[0].size_bytes());
  }
}

TEST_CASE("compressed and encrypted: the right key reads it, a rekeyed epoch too, and no other") {
  const SharedDirectory scratch;
  const auto key_file = [&](const char* name, char digit) {
    const auto path = scratch.path / name;
    on_root([&] {
      fs::create_directories(scratch.path);
      File file(path, O_WRONLY | O_CREAT, 0600);
      const std::string text(64, digit);
      file.write(std::as_bytes(std::span(text)));
      file.close();
    });
    return path;
  };
  const auto right = key_file("right.key", '3');
  const auto wrong = key_file("wrong.key", '4');
  const auto directory = scratch.path / "ckpt";
  save(world(),
       {.directory = directory, .key_file = right, .compression = Compression::shuffle_zstd}, 8);
  CHECK(comes_back(world(), {.directory = directory, .key_file = right}, 8));
  CHECK_THROWS_AS(comes_back(world(), {.directory = directory, .key_file = wrong}, 8), Error);
  on_root([&] {
    CHECK(ckpt::verify(directory, 1).bad.empty());
    CHECK(ckpt::verify(directory, 1, {}, ckpt::Key::from_file(right)).bad.empty());
    CHECK(ckpt::rekey(directory, ckpt::Key::from_file(right), ckpt::Key::from_file(wrong))
              .rewritten.size() == 1);
  });
  CHECK(comes_back(world(), {.directory = directory, .key_file = wrong}, 8));
}

TEST_CASE("a compressed run restarts from the nodes, and what cannot be is refused") {
  const SharedDirectory scratch;
  const ckpt::Options options{.directory = scratch.path / "shared",
                              .every = 100,
                              .compression = Compression::shuffle_zstd,
                              .local = {.directory = scratch.path / "local", .every = 1}};
  save(world(), options, 9);
  CHECK(comes_back(world(), options, 9));

  std::vector<double> u(1000);
  ckpt::Checkpointer ckpt(
      world(), {.directory = scratch.path / "mpio", .driver = ckpt::Options::Driver::mpio});
  CHECK_THROWS_AS(ckpt.field("u", u, {{1000}, {0}, {1000}}, Compression::shuffle_zstd), Error);
  CHECK_THROWS_AS((void)ckpt::compression_of("zip"), Error);
}

TEST_CASE("a flipped bit anywhere in a compressed epoch makes the older one count") {
  const SharedDirectory scratch;
  const ckpt::Options options{.directory = scratch.path, .compression = Compression::shuffle_zstd};
  GridField u(world(), 90, 70);
  const auto save_steps = [&] {
    ckpt::Checkpointer ckpt(world(), options);
    ckpt.field("u", u.data, u.block);
    for (int step = 1; step <= 2; ++step) {
      u.fill(step);
      ckpt.save(static_cast<std::uint64_t>(step));
    }
  };
  const auto restart = [&] {
    ckpt::Checkpointer ckpt(world(), options);
    ckpt.field("u", u.data, u.block);
    u.clear();
    const auto step = ckpt.restore().value_or(77);
    CHECK(u.holds(static_cast<int>(step)));
    return step;
  };
  save_steps();
  CHECK(restart() == 2);
  const Random random(8);
  std::uint64_t index = 0;
  for (const char* name : {"epoch-0000000002.h5", "epoch-0000000002.record"}) {
    const auto path = scratch.path / name;
    const auto size =
        bcast(world(), static_cast<std::uint64_t>(world().is_root() ? fs::file_size(path) : 0));
    for (int trial = 0; trial < 15; ++trial) {
      const auto offset = random.below(index++, size);
      const auto bit = std::byte{1} << static_cast<int>(random.below(index++, 8));
      const auto flip = [&] {
        File file(path, O_RDWR);
        std::byte byte{};
        file.read_at(std::span(&byte, 1), offset);
        byte ^= bit;
        file.write_at(std::span(&byte, 1), offset);
      };
      on_root([&] {
        flip();
        CHECK(!ckpt::verify(scratch.path, 2).bad.empty());
      });
      CHECK(restart() == 1);
      on_root(flip);
    }
  }
  CHECK(restart() == 2);
}

TEST_CASE("a failure while chunks are packed or written is agreed, and the older epoch stays") {
  const SharedDirectory scratch;
  Array<std::uint64_t> wild(on_grid(world(), {200000}), noise);  // two chunks
  for (const auto mode : {ckpt::Options::Mode::sync, ckpt::Options::Mode::async}) {
    const auto directory = scratch.path / (mode == ckpt::Options::Mode::sync ? "sync" : "async");
    for (const std::string point : {"ckpt.chunk.collect", "ckpt.pack", "ckpt.chunk.write"}) {
      std::set ranks{0, std::min(1, world().size() - 1)};  // those with chunks
      if (point == "ckpt.chunk.collect") ranks.insert(world().size() - 1);
      for (const int rank : ranks) {
        CAPTURE(point);
        CAPTURE(rank);
        ckpt::Checkpointer ckpt(
            world(),
            {.directory = directory, .mode = mode, .compression = Compression::shuffle_lz4});
        ckpt.field("wild", wild.data, wild.block);
        (void)ckpt.restore();
        wild.fill(1);
        ckpt.save(1);
        ckpt.wait();
        arm_failpoints(point + "=EIO,rank=" + std::to_string(rank), world().rank(), 0);
        bool failed = false;
        try {
          wild.fill(2);
          ckpt.save(2);
          ckpt.wait();
        } catch (const Error& error) {
          failed = true;
          CHECK(error.agreed());
          CHECK(error.code() == Errc::input_output);
        }
        arm_failpoints("", world().rank(), 0);
        CHECK(failed);
        CHECK(ckpt.restore() == 1);
        CHECK(wild.holds(1));
        wild.fill(3);
        ckpt.save(3);
        ckpt.wait();
        wild.fill(0);
        CHECK(ckpt.restore() == 3);
        CHECK(wild.holds(3));
        if (!world().is_root()) continue;
        for (const auto& entry : fs::directory_iterator(directory))
          CHECK(entry.path().extension() != ".tmp");
      }
    }
  }
}

/// What somebody could do who knows the format: a chunk whose digests fit, and that says another
/// length inside. Nothing is written behind the chunk, and nothing of it is believed.
TEST_CASE("a chunk that does not unpack to its size is refused, though all digests fit") {
  const SharedDirectory scratch;
  const ckpt::Options options{.directory = scratch.path, .compression = Compression::shuffle_zstd};
  GridField u(world(), 90, 70);
  {
    ckpt::Checkpointer ckpt(world(), options);
    ckpt.field("u", u.data, u.block);
    for (int step = 1; step <= 2; ++step) {
      u.fill(step);
      ckpt.save(static_cast<std::uint64_t>(step));
    }
  }
  on_root([&] {
    const auto record_path = scratch.path / "epoch-0000000002.record";
    auto record = ckpt::parse_record(read_file(record_path));
    auto& chunk = record.fields[0].chunks->chunks[0];
    File data(scratch.path / record.data_file, O_RDWR);
    std::vector<std::byte> bytes(chunk.length_bytes);
    data.read_at(bytes, chunk.offset_bytes);
    bytes[5] ^= std::byte{1};  // of the size in the frame's header, or of a block
    data.write_at(bytes, chunk.offset_bytes);
    chunk.crc = ckpt::crc32c(bytes);
    const auto text = ckpt::record_text(record);
    File file(record_path, O_WRONLY | O_TRUNC);
    file.write(std::as_bytes(std::span(text)));
    const auto result = ckpt::verify(scratch.path, 2);
    CHECK(result.bad.size() == 1);
    CHECK(result.bad.at(0).reason.find("unpacked") != std::string::npos);
  });
  ckpt::Checkpointer ckpt(world(), options);
  ckpt.field("u", u.data, u.block);
  CHECK(ckpt.restore() == 1);
  CHECK(u.holds(1));
}
