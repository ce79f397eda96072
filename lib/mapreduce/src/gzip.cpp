#include <zlib.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cairn/core/error.hpp"
#include "cairn/mapreduce/read.hpp"
#include "file.hpp"

namespace cairn::mapreduce {

namespace {

/// Undoes gzip, member after member, piece by piece.
class Inflater {
 public:
  explicit Inflater(const std::string& path) : path_(path) {
    constexpr int gzip_with_largest_window = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, gzip_with_largest_window) != Z_OK)
      throw Error(Errc::unavailable, "out of memory while unpacking " + path_);
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// Takes from the front of `packed`, fills the front of `text`. One of the two is used up, or a
  /// member has ended.
  std::size_t unpack(std::span<char>& packed, std::span<char> text) {
    if (!inside_member_) begin_member(packed);
    if (!inside_member_) return 0;
    stream_.next_in = reinterpret_cast<Bytef*>(packed.data());
    stream_.avail_in = static_cast<uInt>(packed.size());
    stream_.next_out = reinterpret_cast<Bytef*>(text.data());
    stream_.avail_out = static_cast<uInt>(text.size());
    const int result = inflate(&stream_, Z_NO_FLUSH);
    packed = packed.last(stream_.avail_in);
    if (result == Z_STREAM_END) {
      inside_member_ = false;
    } else if (result == Z_MEM_ERROR) {
      throw Error(Errc::unavailable, "out of memory while unpacking " + path_);
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      throw_damaged(stream_.msg != nullptr ? stream_.msg : "not a gzip stream");
    }
    return text.size() - stream_.avail_out;
  }

  /// The file has ended: so must have the last member.
  void expect_end() const {
    if (inside_member_ || members_ == 0) throw_damaged("it ends too early");
  }

 private:
  /// Skips padding; the first byte of anything else begins a member, which inflate() checks.
  void begin_member(std::span<char>& packed) {
    if (members_ > 0) {
      const auto padding =
          std::find_if(packed.begin(), packed.end(), [](char c) { return c != 0; });
      padded_ = padded_ || padding != packed.begin();
      packed = packed.last(static_cast<std::size_t>(packed.end() - padding));
      if (packed.empty()) return;
      if (padded_ || packed[0] != '\x1f') throw_damaged("there is something behind its end");
    }
    inflateReset(&stream_);
    inside_member_ = true;
    ++members_;
  }

  [[noreturn]] void throw_damaged(const std::string& why) const {
    throw Error(Errc::bad_data,
                path_ + " is a damaged gzip file: " + why + "; repair it or leave it out");
  }

  std::string path_;
  z_stream stream_{};
  bool inside_member_ = false;
  bool padded_ = false;
  std::uint64_t members_ = 0;
};

}  // namespace

bool read_gzip(const InputFile& file, const ReadOptions& options, Tokenizer& tokens,
               ReadStatistics& statistics, const KeepReading& keep_reading) {
  File input(file.path);
  Inflater inflater(file.path);
  std::vector<char> packed_buffer(options.buffer_bytes);
  std::vector<char> text_buffer(options.buffer_bytes);
  tokens.begin(Tokenizer::Start::between_tokens);
  for (std::uint64_t offset = 0;;) {
    const std::size_t got = input.read_at(packed_buffer, offset);
    if (got == 0) break;
    offset += got;
    statistics.file_bytes += got;
    std::uint64_t unreported = got;
    std::span<char> packed = std::span<char>(packed_buffer).first(got);
    std::size_t unpacked = 0;
    do {
      unpacked = inflater.unpack(packed, text_buffer);
      statistics.text_bytes += unpacked;
      tokens.feed({text_buffer.data(), unpacked});
      if (!keep_reading(unreported)) return false;
      unreported = 0;
    } while (!packed.empty() || unpacked == text_buffer.size());
  }
  inflater.expect_end();
  tokens.end();
  return true;
}

}  // namespace cairn::mapreduce
