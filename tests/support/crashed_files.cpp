#include <algorithm>
#include <fstream>

#include "cairn/core/random.hpp"
#include "recorded_files.hpp"

namespace cairn::test {

namespace {

namespace fs = std::filesystem;
using Kind = FileOperation::Kind;
using Operations = std::vector<FileOperation>;

constexpr std::size_t sector_bytes = 512;

bool is_of_directory(Kind kind) {
  return kind == Kind::create || kind == Kind::link || kind == Kind::rename || kind == Kind::unlink;
}

/// One crash: which operations reach the disk.
class Survivors {
 public:
  Survivors(const Operations& operations, std::size_t cut, Crash crash, std::uint64_t seed)
      : operations_(operations), crash_(crash), random_(seed, cut), survives_(cut, true) {
    if (crash == Crash::kill) return;
    choose_in_directory(cut);
    choose_in_files(cut);
  }

  [[nodiscard]] bool operator()(std::size_t i) const { return survives_[i]; }

  /// Whether a sector of a write that no sync followed arrives.
  bool sector_survives() { return is_torn_ ? below(2) == 0 : true; }
  /// Tears every other write.
  void begin_write(std::size_t i) {
    is_torn_ = crash_ != Crash::kill && !durable_[i] && below(2) == 0;
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_.below(next_++, bound); }

  void choose_in_directory(std::size_t cut) {
    std::vector<std::size_t> open;  // those behind the last sync
    for (std::size_t i = 0; i < cut; ++i) {
      if (is_of_directory(operations_[i].kind)) open.push_back(i);
      if (operations_[i].kind == Kind::sync_directory) open.clear();
    }
    const std::size_t kept = below(open.size() + 1);
    for (std::size_t k = 0; k < open.size(); ++k)
      survives_[open[k]] = crash_ == Crash::power_cut ? k < kept : below(2) == 0;
  }

  void choose_in_files(std::size_t cut) {
    durable_.assign(cut, false);
    std::map<int, bool> synced;
    for (std::size_t i = cut; i-- > 0;) {
      const auto& one = operations_[i];
      if (one.kind == Kind::sync_file) synced[one.file] = true;
      if (one.kind != Kind::write && one.kind != Kind::resize) continue;
      durable_[i] = synced[one.file];
      if (!durable_[i]) survives_[i] = below(2) == 0;
    }
  }

  const Operations& operations_;
  Crash crash_;
  Random random_;
  std::uint64_t next_ = 0;
  std::vector<bool> survives_;
  std::vector<bool> durable_;
  bool is_torn_ = false;
};

void apply_write(std::vector<std::byte>& contents, const FileOperation& write,
                 Survivors& survivors) {
  const std::size_t end = write.offset + write.bytes.size();
  if (contents.size() < end) contents.resize(end);
  for (std::size_t at = write.offset; at < end;) {
    const std::size_t next = std::min(end, (at / sector_bytes + 1) * sector_bytes);
    if (survivors.sector_survives()) {
      const auto from = write.bytes.begin() + static_cast<std::ptrdiff_t>(at - write.offset);
      std::copy(from, from + static_cast<std::ptrdiff_t>(next - at),
                contents.begin() + static_cast<std::ptrdiff_t>(at));
    }
    at = next;
  }
}

void apply_name(std::map<std::string, int>& names, const FileOperation& one) {
  if (one.kind == Kind::create) names[one.name] = one.file;
  if (one.kind == Kind::unlink) names.erase(one.name);
  if (one.kind == Kind::link && names.contains(one.name)) names[one.to] = names[one.name];
  if (one.kind != Kind::rename) return;
  // Its source may never have arrived.
  if (const auto node = names.extract(one.name); !node.empty()) names[one.to] = node.mapped();
}

}  // namespace

std::map<std::string, std::vector<std::byte>> files_after(const Operations& operations,
                                                          std::size_t cut, Crash crash,
                                                          std::uint64_t seed) {
  Survivors survivors(operations, cut, crash, seed);
  std::map<std::string, int> names;
  std::map<int, std::vector<std::byte>> contents;
  for (std::size_t i = 0; i < cut; ++i) {
    if (!survivors(i)) continue;
    const auto& one = operations[i];
    if (is_of_directory(one.kind)) apply_name(names, one);
    if (one.kind == Kind::resize) contents[one.file].resize(one.offset);
    if (one.kind != Kind::write) continue;
    if (crash != Crash::kill) survivors.begin_write(i);
    apply_write(contents[one.file], one, survivors);
  }
  std::map<std::string, std::vector<std::byte>> files;
  for (const auto& [name, file] : names) files[name] = contents[file];
  return files;
}

void write_files(const fs::path& directory,
                 const std::map<std::string, std::vector<std::byte>>& files) {
  fs::remove_all(directory);
  fs::create_directories(directory);
  for (const auto& [name, bytes] : files) {
    std::ofstream(directory / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
}

}  // namespace cairn::test
