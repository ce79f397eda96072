// Encrypted epochs: read back on any number of ranks, by nobody without the key, and whatever an
// attacker changes in the directory is found, also where he makes all digests fit.

#include <fcntl.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/ckpt/inspect.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/file.hpp"
#include "fixture.hpp"

using namespace cairn;
using namespace cairn::test;
namespace fs = std::filesystem;

namespace {

constexpr double secret_value = 1234567.890625;
const std::string secret_value_bytes = "000000e487d63241";  // as a record has them

template <typename Work>
void on_root(Work&& work) {
  barrier(world());
  if (world().is_root()) work();
  barrier(world());
}

/// A directory for epochs and two keys beside it.
struct Vault {
  Vault()
      : epochs(scratch.path / "epochs"), key(scratch.path / "key"), other(scratch.path / "other") {
    on_root([&] {
      fs::create_directories(scratch.path);
      std::ofstream(key) << std::string(64, 'a');
      std::ofstream(other) << std::string(64, 'b') << '\n';
      for (const auto& path : {key, other}) fs::permissions(path, fs::perms::owner_read);
    });
  }

  void save(const fs::path& key_file, int first, int last, std::size_t n = 20,
            ckpt::Options::Mode mode = ckpt::Options::Mode::sync) const {
    GridField u(world(), n, n);
    double value = secret_value;
    ckpt::Options options{.directory = epochs, .mode = mode, .key_file = key_file};
    options.plain_epochs = ckpt::Options::PlainEpochs::accept;
    ckpt::Checkpointer ckpt(world(), options);
    ckpt.field("u", u.data, u.block);
    ckpt.value("x", value);
    for (int step = first; step <= last; ++step) {
      u.fill(step);
      const auto before = u.data;
      ckpt.save(static_cast<std::uint64_t>(step));
      CHECK(u.data == before);  // not encrypted in the program's own memory
    }
    ckpt.wait();
  }

  /// The step, or minus the exit code.
  int restart(const fs::path& key_file, const Communicator& comm = world(), std::size_t n = 20,
              ckpt::Options::PlainEpochs plain = ckpt::Options::PlainEpochs::refuse) const {
    GridField u(comm, n, n);
    double value = 0;
    ckpt::Options options{.directory = epochs, .key_file = key_file, .plain_epochs = plain};
    int result = 0;
    try {
      ckpt::Checkpointer ckpt(comm, options);
      ckpt.field("u", u.data, u.block);
      ckpt.value("x", value);
      result = static_cast<int>(ckpt.restore().value_or(0));
      CHECK(u.holds(result));
      CHECK(value == secret_value);
    } catch (const Error& error) {
      CHECK(error.agreed());
      result = -error.exit_code();
    }
    CHECK(all_reduce(comm, result, Minimum{}) == all_reduce(comm, result, Maximum{}));
    return result;
  }

  [[nodiscard]] fs::path data(int epoch) const {
    return epochs / ("epoch-000000000" + std::to_string(epoch) + ".h5");
  }
  [[nodiscard]] fs::path record(int epoch) const {
    return epochs / ("epoch-000000000" + std::to_string(epoch) + ".record");
  }

  SharedDirectory scratch;
  fs::path epochs;
  fs::path key;
  fs::path other;
};

/// Gives the record a digest that fits its body.
std::string forged(const std::string& text) {
  const auto line = text.find('\n');
  if (line == std::string::npos || line < 33) return text;
  const auto hash = XXH3_128bits(text.data() + line + 1, text.size() - line - 1);
  char hex[33];
  std::snprintf(hex, sizeof hex, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  auto result = text;
  result.replace(line - 32, 32, hex);
  return result;
}

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

bool contains(const fs::path& path, double number) {
  const auto text = read_file(path);
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  return text.find(std::string_view(bytes, sizeof number)) != std::string::npos;
}

std::uint64_t offset_of_field(const std::string& record) {
  // Of the field: ranges of the structure stand before it too, each with an offset of its own.
  const auto fields = record.find("\"fields\"");
  const auto at = record.find("\"offset_bytes\": ", fields);
  return std::stoull(record.substr(at + 16));
}

/// Changes 33 bits so that the CRC-32C of the bytes stays what it was: the polynomial itself,
/// highest coefficient first, in the order in which the CRC takes bits.
void tamper_keeping_crc(const fs::path& path, std::uint64_t offset) {
  constexpr std::uint64_t polynomial = 0x11EDC6F41ULL;
  File file(path, O_RDWR);
  std::array<std::byte, 5> bytes{};
  file.read_at(bytes, offset);
  for (int i = 0; i <= 32; ++i) {
    if ((polynomial >> (32 - i) & 1U) != 0)
      bytes[static_cast<std::size_t>(i / 8)] ^= std::byte{1} << (i % 8);
  }
  file.write_at(bytes, offset);
}

}  // namespace

TEST_CASE("encrypted epochs are restored on any number of ranks, and show nothing") {
  constexpr std::size_t n = 700;  // pieces that end inside of rows, several a rank
  for (const auto mode : {ckpt::Options::Mode::sync, ckpt::Options::Mode::async}) {
    const Vault vault;
    vault.save(vault.key, 1, 4, n, mode);  // the third and fourth over a retired one
    on_root([&] {
      const double known = GridField::expected(n / 2, n / 3, 4);
      CHECK_FALSE(contains(vault.data(4), known));
      CHECK(read_file(vault.record(4)).find(secret_value_bytes) == std::string::npos);
      CHECK(ckpt::verify(vault.epochs, 4).bad.empty());  // the digests, without the key
      CHECK(ckpt::verify(vault.epochs, 4, {}, ckpt::Key::from_file(vault.key)).bad.empty());
    });
    CHECK(vault.restart(vault.key, world(), n) == 4);
    for (int ranks = 1; ranks < world().size(); ++ranks) {
      const auto part = world().split(world().rank() < ranks ? 0 : 1);
      if (world().rank() < ranks) CHECK(vault.restart(vault.key, part, n) == 4);
      barrier(world());
    }
  }
}

TEST_CASE("the bytes that the last test looks for do stand in a plain epoch") {
  const Vault vault;
  vault.save({}, 1, 1);
  on_root([&] {
    CHECK(contains(vault.data(1), GridField::expected(10, 7, 1)));
    CHECK(read_file(vault.record(1)).find(secret_value_bytes) != std::string::npos);
  });
}

TEST_CASE("a wrong or missing key, and a plain epoch where there is a key, are refused with 77") {
  const Vault vault;
  vault.save(vault.key, 1, 2);
  CHECK(vault.restart(vault.key) == 2);
  CHECK(vault.restart(vault.other) == -77);
  CHECK(vault.restart({}) == -77);
  on_root([&] { fs::permissions(vault.other, fs::perms(0640)); });
  CHECK(vault.restart(vault.other) == -77);
  CHECK(vault.restart(vault.scratch.path / "nowhere") == -66);
  vault.save(vault.key, 3, 3);

  const Vault plain;
  plain.save({}, 1, 2);
  CHECK(plain.restart(plain.key) == -77);
  CHECK(plain.restart(plain.key, world(), 20, ckpt::Options::PlainEpochs::accept) == 2);
  CHECK(plain.restart({}) == 2);
}

TEST_CASE("no byte of a record can be changed unnoticed, also when its digest is made to fit") {
  const Vault vault;
  vault.save(vault.key, 1, 2);
  on_root([&] {
    const auto key = ckpt::Key::from_file(vault.key);
    const auto text = read_file(vault.record(2));
    CHECK(forged(text) == text);
    std::size_t unnoticed = 0;
    const std::size_t step = world().size() == 1 ? 1 : 7;  // rank 0 alone looks at them
    for (std::size_t i = 0; i < text.size(); i += step) {
      for (const int mask : {1, 16}) {
        auto changed = text;
        changed[i] = static_cast<char>(changed[i] ^ mask);
        changed = forged(changed);
        if (changed == text) continue;  // a bit of the digest, which was made to fit again
        write_text(vault.record(2), changed);
        try {
          unnoticed += ckpt::verify(vault.epochs, 2, {}, key).bad.empty();
        } catch (const Error& error) {
          CHECK((error.code() == Errc::permission || error.code() == Errc::usage));
        }
      }
    }
    CHECK(unnoticed == 0);
    write_text(vault.record(2), text);
  });
  CHECK(vault.restart(vault.key) == 2);

  // The program falls back: here another step, with all digests right.
  on_root([&] {
    auto text = read_file(vault.record(2));
    const auto at = text.find("\"step\": 2");
    CHECK(at != std::string::npos);
    text.replace(at, 9, "\"step\": 7");
    write_text(vault.record(2), forged(text));
  });
  CHECK(vault.restart(vault.key) == 1);
}

TEST_CASE("bytes that are changed so that their CRC stays are found by the tags") {
  const Vault vault;
  vault.save(vault.key, 1, 2);
  on_root(
      [&] { tamper_keeping_crc(vault.data(2), offset_of_field(read_file(vault.record(2))) + 40); });
  on_root([&] {
    CHECK(ckpt::verify(vault.epochs, 2).bad.empty());  // that the test does what it says
    CHECK(ckpt::verify(vault.epochs, 2, {}, ckpt::Key::from_file(vault.key)).bad.size() == 1);
  });
  CHECK(vault.restart(vault.key) == 1);

  const Vault structure;
  structure.save(structure.key, 1, 2);
  on_root([&] { tamper_keeping_crc(structure.data(2), 48); });
  on_root([&] { CHECK(ckpt::verify(structure.epochs, 2).bad.empty()); });
  CHECK(structure.restart(structure.key) == 1);
}

TEST_CASE("an epoch under another number, of another job, and swapped data are not accepted") {
  const Vault vault;
  vault.save(vault.key, 1, 2);
  on_root([&] {  // epoch 1 once more, as the newest
    auto text = read_file(vault.record(1));
    for (const auto& [from, to] :
         {std::pair<std::string, std::string>{"\"epoch\": 1", "\"epoch\": 3"},
          {"epoch-0000000001.h5", "epoch-0000000003.h5"}}) {
      text.replace(text.find(from), from.size(), to);
    }
    fs::copy_file(vault.data(1), vault.data(3));
    write_text(vault.record(3), forged(text));
  });
  CHECK(vault.restart(vault.key) == 2);
  on_root([&] {  // the data of the older epoch under the record of the newer one
    fs::copy_file(vault.data(1), vault.data(2), fs::copy_options::overwrite_existing);
  });
  CHECK(vault.restart(vault.key) == 1);
}

TEST_CASE("a key and a local tier, which does not encrypt, are refused together") {
  const Vault vault;
  ckpt::Options options{.directory = vault.epochs, .key_file = vault.key};
  options.local.directory = vault.scratch.path / "node";
  CHECK_THROWS_WITH_AS(ckpt::Checkpointer(world(), options),
                       doctest::Contains("do not go together"), Error);
}
