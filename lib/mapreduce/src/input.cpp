#include "cairn/mapreduce/input.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/error.hpp"
#include "cairn/trace/trace.hpp"
#include "file.hpp"

namespace cairn::mapreduce {

namespace fs = std::filesystem;

namespace {

std::uint64_t total_bytes(const std::vector<InputFile>& files) {
  std::uint64_t sum = 0;
  for (const InputFile& file : files) sum += file.bytes;
  return sum;
}

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

/// The compressed format whose magic number `head` begins with; "" for none.
std::string compressed_kind(std::string_view head) {
  using namespace std::string_view_literals;
  if (starts_with(head, "\x1f\x8b\x08"sv)) return "gzip";
  if (starts_with(head,
                  "\xfd"
                  "7zXZ\0"sv))
    return "xz";
  if (starts_with(head, "\x28\xb5\x2f\xfd"sv)) return "zstd";
  // "BZh" and a digit may begin a text; the block (or end) mark behind it does not.
  const bool bzip2 = starts_with(head, "BZh") && head.size() >= 10 && head[3] >= '1' &&
                     head[3] <= '9' &&
                     (head.substr(4, 6) == "\x31\x41\x59\x26\x53\x59"sv ||
                      head.substr(4, 6) == "\x17\x72\x45\x38\x50\x90"sv);
  return bzip2 ? "bzip2" : "";
}

std::string kind_of_special(fs::file_type type) {
  switch (type) {
    case fs::file_type::fifo:
      return "fifo";
    case fs::file_type::socket:
      return "socket";
    case fs::file_type::block:
    case fs::file_type::character:
      return "device";
    default:
      return "special";
  }
}

/// Walks inputs on rank 0.
class Lister {
 public:
  explicit Lister(const InputOptions& options) : options_(options) {}

  void add(const std::string& input) {
    std::error_code code;
    const fs::file_status status = fs::status(input, code);  // follows a link
    if (!fs::status_known(status) || status.type() == fs::file_type::not_found)
      throw_errno(code ? code.value() : ENOENT, "input " + input);
    if (status.type() == fs::file_type::directory) {
      walk(input);
    } else if (status.type() == fs::file_type::regular) {
      paths_.push_back(input);
    } else {
      throw Error(Errc::no_input, "input " + input + " is a " + kind_of_special(status.type()) +
                                      ", not a file or folder; write its text to a file first");
    }
    std::sort(paths_.begin(), paths_.end());
    for (const std::string& path : paths_) classify(path);
    paths_.clear();
  }

  InputList take() {
    if (list_.plain.empty() && list_.gzip.empty())
      throw Error(Errc::no_input, "nothing to read: the inputs hold no file" + what_was_left_out());
    return std::move(list_);
  }

 private:
  /// Every regular file under `root` goes to paths_.
  void walk(const std::string& root) {
    std::vector<std::string> folders{root};
    while (!folders.empty()) {
      const std::string folder = std::move(folders.back());
      folders.pop_back();
      std::error_code code;
      for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
           entry.increment(code))
        visit(*entry, folders);
      if (code) throw_errno(code.value(), "read folder " + folder);
    }
  }

  void visit(const fs::directory_entry& entry, std::vector<std::string>& folders) {
    std::error_code code;
    const fs::file_type type = entry.symlink_status(code).type();
    if (type == fs::file_type::directory) {
      folders.push_back(entry.path().string());
    } else if (type == fs::file_type::symlink) {
      ++list_.symlinks;
    } else if (type == fs::file_type::regular) {
      paths_.push_back(entry.path().string());
    } else if (type == fs::file_type::not_found || type == fs::file_type::none) {
      throw_errno(code ? code.value() : ENOENT, "input " + entry.path().string());
    } else {
      ++list_.skipped[kind_of_special(type)];
    }
  }

  /// Opens a regular file and sorts it by its first bytes.
  void classify(const std::string& path) {
    File file(path);
    const std::uint64_t bytes = file.size();
    std::array<char, 10> head{};
    const std::size_t n = file.read_at(head, 0);
    const std::string kind = compressed_kind({head.data(), n});
    if (bytes == 0 && n > 0) {
      ++list_.skipped["unsized"];
    } else if (kind == "gzip" && options_.compressed == InputOptions::Compressed::include) {
      list_.gzip.push_back({path, bytes});
    } else if (!kind.empty()) {
      ++list_.skipped[kind];
    } else {
      list_.plain.push_back({path, bytes});
    }
  }

  std::string what_was_left_out() const {
    std::string text;
    for (const auto& [kind, files] : list_.skipped)
      text += ", " + std::to_string(files) + " " + kind + " skipped";
    if (list_.symlinks > 0)
      text += ", " + std::to_string(list_.symlinks) + " symbolic links not followed";
    return text;
  }

  InputOptions options_;
  InputList list_;
  std::vector<std::string> paths_;
};

// The list as bytes, for the broadcast: numbers are eight bytes as this machine has them, texts
// follow their length.

void put(std::string& out, std::uint64_t number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void put(std::string& out, const std::string& text) {
  put(out, text.size());
  out += text;
}

void put(std::string& out, const std::vector<InputFile>& files) {
  put(out, files.size());
  for (const InputFile& file : files) {
    put(out, file.path);
    put(out, file.bytes);
  }
}

std::string packed(const InputList& list) {
  std::string out;
  put(out, list.plain);
  put(out, list.gzip);
  put(out, list.symlinks);
  put(out, list.skipped.size());
  for (const auto& [kind, files] : list.skipped) {
    put(out, kind);
    put(out, files);
  }
  return out;
}

class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    std::copy_n(bytes_.data(), sizeof value, reinterpret_cast<char*>(&value));
    bytes_.remove_prefix(sizeof value);
    return value;
  }

  std::string text() {
    const std::uint64_t length = number();
    std::string value(bytes_.substr(0, length));
    bytes_.remove_prefix(length);
    return value;
  }

  std::vector<InputFile> files() {
    std::vector<InputFile> files(number());
    for (InputFile& file : files) {
      file.path = text();
      file.bytes = number();
    }
    return files;
  }

  InputList list() {
    InputList list;
    list.plain = files();
    list.gzip = files();
    list.symlinks = number();
    for (std::uint64_t left = number(); left > 0; --left) {
      const std::string kind = text();
      list.skipped[kind] = number();
    }
    return list;
  }

 private:
  std::string_view bytes_;
};

/// What rank 0 does. That it is rank 0 who cannot read a file says nothing to a user: the text of
/// an error goes round as it is.
std::string list_here(std::span<const std::string> inputs, const InputOptions& options) {
  try {
    Lister lister(options);
    for (const std::string& input : inputs) lister.add(input);
    return packed(lister.take());
  } catch (Error& error) {
    error.mark_agreed();  // together() makes it true
    throw;
  }
}

/// The bytes of rank 0 on every rank, in pieces that an int can count.
std::string share(const Communicator& comm, std::string bytes) {
  const auto size = bcast(comm, static_cast<std::uint64_t>(bytes.size()));
  together(comm, [&] { bytes.resize(size); });
  constexpr std::size_t piece = std::size_t{1} << 28;
  for (std::size_t first = 0; first < size; first += piece)
    bcast(comm, std::span<char>(bytes).subspan(first, std::min<std::size_t>(piece, size - first)));
  return bytes;
}

}  // namespace

std::uint64_t InputList::plain_bytes() const { return total_bytes(plain); }

std::uint64_t InputList::gzip_bytes() const { return total_bytes(gzip); }

std::uint64_t InputList::skipped_files() const {
  std::uint64_t sum = 0;
  for (const auto& [kind, files] : skipped) sum += files;
  return sum;
}

InputList list_inputs(const Communicator& comm, std::span<const std::string> inputs,
                      const InputOptions& options) {
  const trace::Span span("mapreduce.list");
  std::string bytes =
      together(comm, [&] { return comm.is_root() ? list_here(inputs, options) : std::string(); });
  bytes = share(comm, std::move(bytes));
  return together(comm, [&] { return Unpacker(bytes).list(); });
}

}  // namespace cairn::mapreduce
