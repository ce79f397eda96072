#include "cairn/mapreduce/read.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "cairn/core/error.hpp"
#include "file.hpp"

namespace cairn::mapreduce {

namespace {

[[noreturn]] void throw_shorter(const InputFile& file, std::uint64_t bytes) {
  throw Error(Errc::input_output, file.path + " became shorter while it was in use (it had " +
                                      std::to_string(file.bytes) + " bytes, now " +
                                      std::to_string(bytes) +
                                      "); run again when nobody writes to it");
}

/// Reads [offset, offset + at most `limit`) of the listed file, never past its listed end.
class PartReader {
 public:
  PartReader(const InputFile& listed, std::size_t buffer_bytes)
      : listed_(listed), file_(listed.path), buffer_(buffer_bytes) {
    if (file_.size() < listed.bytes) throw_shorter(listed, file_.size());
  }

  std::string_view read(std::uint64_t offset, std::uint64_t limit) {
    const std::uint64_t n = std::min<std::uint64_t>(buffer_.size(), limit);
    const std::size_t got = file_.read_at(std::span<char>(buffer_).first(n), offset);
    if (got == 0) throw_shorter(listed_, file_.size());
    return {buffer_.data(), got};
  }

 private:
  const InputFile& listed_;
  File file_;
  std::vector<char> buffer_;
};

/// Feeds the rest of the token that is open at `offset`, up to the end of the file at most.
bool read_rest_of_token(PartReader& reader, const InputFile& file, std::uint64_t offset,
                        Tokenizer& tokens, const KeepReading& keep_reading) {
  while (tokens.inside_token() && offset < file.bytes) {
    const std::string_view bytes = reader.read(offset, file.bytes - offset);
    const std::size_t length = find_ascii_space(bytes);
    // The white space ends the token; nothing behind it is ours.
    tokens.feed(bytes.substr(0, std::min(length + 1, bytes.size())));
    offset += bytes.size();
    if (!keep_reading(0)) return false;
  }
  return true;
}

}  // namespace

bool read_part(const InputFile& file, ByteRange part, const ReadOptions& options, Tokenizer& tokens,
               ReadStatistics& statistics, const KeepReading& keep_reading) {
  expects(part.first <= part.last && part.last <= file.bytes, "a part inside the file");
  if (part.first == part.last) return true;
  PartReader reader(file, std::min<std::uint64_t>(options.buffer_bytes, file.bytes));
  std::uint64_t offset = part.first;
  if (offset == 0) {
    tokens.begin(Tokenizer::Start::between_tokens);
  } else {
    // The byte before tells whether a token began before the part: then that one is foreign.
    tokens.begin(Tokenizer::Start::inside_foreign);
    tokens.feed(reader.read(offset - 1, 1));
  }
  while (offset < part.last) {
    const std::string_view bytes = reader.read(offset, part.last - offset);
    tokens.feed(bytes);
    offset += bytes.size();
    statistics.text_bytes += bytes.size();
    statistics.file_bytes += bytes.size();
    if (!keep_reading(bytes.size())) return false;
  }
  if (!read_rest_of_token(reader, file, offset, tokens, keep_reading)) return false;
  tokens.end();
  return true;
}

}  // namespace cairn::mapreduce
