/// The record of a local epoch: all that is needed to check, and to rebuild, what the hosts hold of
/// it. Each host has a copy. FORMAT.md describes its bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/consensus/claim.hpp"
#include "record.hpp"

namespace cairn::ckpt {

/// A file as its size and the CRC-32C of each of its pieces of 1 MiB.
struct FileDigest {
  std::uint64_t bytes = 0;
  std::vector<std::uint32_t> piece_crcs;
};

/// The part file of one rank.
struct LocalPart {
  int host = 0;  ///< index into LocalRecord::hosts
  FileDigest file;
  std::vector<std::uint64_t> offsets_bytes;  ///< of each field's dataset in the file
};

/// One member of a redundancy set.
struct LocalMember {
  int rank = 0;
  bool has_part = true;
  FileDigest parity;
};

struct LocalSet {
  int losses = 0;
  std::vector<LocalMember> members;
};

struct LocalRecord {
  EpochRecord epoch;  ///< job, step, values, fields with the parts of all ranks; no data file
  std::vector<std::string> hosts;
  std::vector<LocalPart> parts;  ///< one per rank
  std::vector<LocalSet> sets;

  [[nodiscard]] consensus::LastEpoch id() const { return {epoch.incarnation, epoch.epoch}; }
};

[[nodiscard]] std::string local_record_text(const LocalRecord& record);

/// Reads what local_record_text() wrote, after checking its digest, and checks that its numbers
/// make sense.
/// @throws Error{Errc::bad_data} that says what is wrong with it, {usage} for a later version
[[nodiscard]] LocalRecord parse_local_record(std::string_view text);

}  // namespace cairn::ckpt
