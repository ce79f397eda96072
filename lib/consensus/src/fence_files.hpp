/// The names of a lineage's fence files, and what is found under them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cairn/consensus/claim.hpp"

namespace cairn::consensus {

/// `inc.K` and `inc.K.beat`.
[[nodiscard]] std::filesystem::path claim_path(const std::filesystem::path& directory,
                                               std::uint64_t incarnation);
[[nodiscard]] std::filesystem::path beat_path(const std::filesystem::path& directory,
                                              std::uint64_t incarnation);

/// A name that no other process uses, for a claim that is being written.
[[nodiscard]] std::filesystem::path temporary_claim_path(const std::filesystem::path& directory,
                                                         const std::string& nonce);

/// The numbers of all claim files, ascending, whatever is in them.
[[nodiscard]] std::vector<std::uint64_t> claimed(const std::filesystem::path& directory);

/// The whole file; nothing when it does not exist. Never blocks, follows no link.
/// @throws Error{Errc::bad_data} for what is no file, {permission, input_output, …}
[[nodiscard]] std::optional<std::string> text_of(const std::filesystem::path& path);

/// A claim file as it is found.
struct FoundClaim {
  bool exists = false;
  std::optional<Claim> claim;
  std::string problem;  ///< why there is no claim although the file exists
};
/// @throws Error{Errc::usage} for a claim of a later format, which nobody may overrule
[[nodiscard]] FoundClaim find_claim(const std::filesystem::path& directory,
                                    std::uint64_t incarnation);

}  // namespace cairn::consensus
