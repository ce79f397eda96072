/// TsvWriter: token<TAB>count lines, buffered, with a digest of all their bytes.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cairn/mapreduce/record.hpp"

namespace cairn::mapreduce {

/// Appends the line of `record` to `out`. A token holds no white space, so no line is ambiguous.
void append_line(std::string& out, const TokenCount& record);

/// Formats records and hands them on in large pieces. Local, not copyable.
class TsvWriter {
 public:
  using Write = std::function<void(std::string_view)>;

  /// @param write  gets the bytes; empty: they only go into the digest
  explicit TsvWriter(Write write, std::size_t buffer_bytes = std::size_t{1} << 20);
  ~TsvWriter();
  TsvWriter(const TsvWriter&) = delete;
  TsvWriter& operator=(const TsvWriter&) = delete;

  void add(const TokenCount& record);

  /// Hands on what is still buffered.
  /// @return the XXH3-128 of everything that was written, as 32 hexadecimal digits (what
  ///         xxh128sum prints)
  std::string finish();

 private:
  void flush();
  struct Digest;

  Write write_;
  std::size_t buffer_bytes_;
  std::string buffer_;
  std::unique_ptr<Digest> digest_;
};

}  // namespace cairn::mapreduce
