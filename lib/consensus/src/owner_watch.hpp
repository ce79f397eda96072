/// Whether the owner of a claim is gone: by what can be known at once, and by watching its
/// heartbeat.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "cairn/consensus/fence.hpp"

namespace cairn::consensus {

class OwnerWatch {
 public:
  enum class Verdict : std::uint8_t {
    gone,
    alive,    ///< it has shown a sign of life
    unknown,  ///< none so far
  };

  OwnerWatch(std::filesystem::path directory, std::uint64_t incarnation,
             const FenceOptions& options);

  /// Looks again.
  [[nodiscard]] Verdict look();

  /// Seconds since the first look.
  [[nodiscard]] double watched_seconds() const;

  /// Who it is, and how to overrule it, for an error message.
  [[nodiscard]] std::string refusal() const;

 private:
  [[nodiscard]] bool is_known_gone();
  [[nodiscard]] bool scheduler_says_gone();

  std::filesystem::path directory_;
  std::uint64_t incarnation_;
  const FenceOptions& options_;
  std::optional<Claim> claim_;
  std::string problem_;

  std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::time_point changed_;  ///< when the heartbeat was last another one
  std::optional<std::string> beat_;
  bool has_beaten_ = false;
  bool is_alive_here_ = false;
  std::optional<std::chrono::steady_clock::time_point> asked_;
  bool is_first_ = true;
};

}  // namespace cairn::consensus
