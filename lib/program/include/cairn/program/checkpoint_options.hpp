/// The options of every program that checkpoints.
///
///     CheckpointOptions ckpt;
///     ckpt.declare(options, "steps");
///     …
///     ckpt::Checkpointer checkpointer(context.world, ckpt.resolve(context, "cairn-heat",
///     identity));
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/program/program.hpp"

namespace cairn::program {

/// What `--ckpt-dir` and its like said.
struct CheckpointOptions {
  std::filesystem::path directory;
  std::uint64_t every = 0;
  std::string interval = "0";
  double mtbf_hours = 24;
  std::string mode = "sync";
  std::string driver = "posix";
  std::string direct = "auto";
  std::string compression = "none";
  std::filesystem::path key_file;
  bool accept_plain = false;
  bool changes_only = false;
  std::string on_error = "stop";
  double patience = 0;
  int most_given_up = 3;
  std::filesystem::path local_directory;
  std::uint64_t local_every = 0;
  std::string redundancy = "partner";
  std::filesystem::path journal_directory;
  std::string time_limit;
  std::uint64_t cut_every = 0;  ///< tasks between two cuts
  bool has_cuts = false;        ///< declare_with_cuts() has been called

  /// Adds them to the options of a program whose steps are called `steps`.
  void declare(Options& options, std::string_view steps);
  /// The same for a program of tasks, whose steps are the cuts that `--cut-every` asks for
  /// (cairn/loadbalance/checkpointed_run.hpp); each is saved unless the others say when.
  void declare_with_cuts(Options& options);

  /// As a Checkpointer takes them; warnings go to the log. The time limit counts from the start of
  /// this process. Collective.
  /// @throws Error{Errc::usage}, agreed, for words that an option does not know, and for options
  /// that want checkpoints without --ckpt-dir
  [[nodiscard]] ckpt::Options resolve(const Context& context, std::string program,
                                      std::string identity) const;

  /// program::check_places(), and whether an output is the key's file or has one of the names that
  /// the checkpoint directory uses. Collective, blocking.
  /// @throws Error{Errc::usage}, agreed, if it is or has
  void check_places(const Context& context, std::initializer_list<std::filesystem::path> outputs,
                    std::vector<std::filesystem::path> inputs = {}) const;

 private:
  void count_cuts(ckpt::Options& options) const;
  void expect_none_wanted(const ckpt::Options& options) const;
};

/// Seconds of "SECONDS", "MM:SS", "HH:MM:SS", "D-HH", "D-HH:MM" or "D-HH:MM:SS", as Slurm writes
/// times; nothing for other texts. Local.
[[nodiscard]] std::optional<double> parse_duration(std::string_view text);

/// When Slurm will end the job that this process is in: SLURM_JOB_END_TIME, or what `squeue` says;
/// nothing outside of jobs, and for jobs without a limit. Local.
[[nodiscard]] std::optional<std::chrono::system_clock::time_point> slurm_time_limit();

}  // namespace cairn::program
