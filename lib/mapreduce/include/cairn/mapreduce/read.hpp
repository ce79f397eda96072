/// Reading files in bounded buffers into a Tokenizer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "cairn/mapreduce/input.hpp"
#include "cairn/mapreduce/split.hpp"
#include "cairn/mapreduce/tokenizer.hpp"

namespace cairn::mapreduce {

/// How files are read.
struct ReadOptions {
  std::size_t buffer_bytes = std::size_t{1} << 20;  ///< of every read, > 0; no reason to change it
};

/// How much text and how much of the disk reading went through.
struct ReadStatistics {
  std::uint64_t text_bytes = 0;  ///< after decompression
  std::uint64_t file_bytes = 0;
};

/// Called after every buffer with the bytes that were read from disk; false: stop reading.
using KeepReading = std::function<bool(std::uint64_t file_bytes)>;

/// Feeds `tokens` the tokens whose first byte lies in `part` of the file, and no others.
///
///     part                |----------------|
///     text        aaa bbbbbbbbb cc ddd eeeeeeeee ff
///     tokens                    cc ddd eeeeeeeee
///
/// A token that crosses the end of the part is read to its end; one that began before the part is
/// left to who reads that part. The end of the file ends a token. Local, blocking.
/// @return false when `keep_reading` said so
/// @throws Error{no_input, permission, input_output} naming the file; input_output also when the
///         file has become shorter than it was when it was listed
bool read_part(const InputFile& file, ByteRange part, const ReadOptions& options, Tokenizer& tokens,
               ReadStatistics& statistics, const KeepReading& keep_reading);

/// Feeds `tokens` the text of a whole gzip file, of one or several members (RFC 1952). Zero bytes
/// behind the last member are padding. Local, blocking.
/// @return false when `keep_reading` said so
/// @throws Error like read_part(), and bad_data, naming the file, when it is damaged, cut short or
///         followed by anything else
bool read_gzip(const InputFile& file, const ReadOptions& options, Tokenizer& tokens,
               ReadStatistics& statistics, const KeepReading& keep_reading);

}  // namespace cairn::mapreduce
