/// What the commands of `cairn ckpt` take and print alike.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "cairn/ckpt/inspect.hpp"
#include "cairn/program/options.hpp"

namespace cairn::tool {

using Json = nlohmann::ordered_json;

/// Fills the options; false when the help or the version was wanted, and is printed.
bool read_options(program::Options& options, int argc, const char* const* argv);

/// @throws Error{Errc::usage} unless there are `least` to `most` arguments; `wanted` names them
void expect_arguments(const std::vector<std::string>& arguments, std::size_t least,
                      std::size_t most, std::string_view wanted);

/// @throws Error{Errc::usage} for what is no number
[[nodiscard]] std::uint64_t epoch_number(const std::string& text);

/// An epoch on the command line: DIR, or DIR:EPOCH.
struct Place {
  std::filesystem::path directory;
  std::optional<std::uint64_t> epoch;
};
/// "a:3" is epoch 3 in a, unless a folder has that very name.
[[nodiscard]] Place place_of(const std::string& word);

/// The newest committed epoch, as a restart would look for it: newer ones that are damaged are
/// passed over with a warning on stderr.
/// @throws Error{Errc::no_input} when there is none, {bad_data} when there are only damaged ones
[[nodiscard]] std::uint64_t newest_epoch(const std::filesystem::path& directory,
                                         std::string_view command);
[[nodiscard]] ckpt::EpochReader open_epoch(const Place& place, std::string_view command,
                                           const std::optional<ckpt::Key>& key = {});

/// @throws Error{Errc::permission} when it is encrypted and was opened without a key
void expect_unlocked(const ckpt::EpochReader& epoch, const std::optional<ckpt::Key>& key);

/// Adds --key-file to the options of a command.
void add_key_file(program::Options& options, std::filesystem::path& key_file);

/// @throws Error{Errc::no_input}: there is no epoch in it
[[noreturn]] void throw_no_epochs(const std::filesystem::path& directory);

[[nodiscard]] std::string bytes_text(std::uint64_t bytes);       ///< 1.5 MiB
[[nodiscard]] std::string shape_text(const ckpt::Shape& shape);  ///< 4×64
[[nodiscard]] std::string region_text(const ckpt::Box& box);     ///< [0:4, 7]
[[nodiscard]] std::string index_text(const ckpt::Shape& index);  ///< [0, 7]
[[nodiscard]] std::string local_time_text(
    std::chrono::system_clock::time_point t);                                 ///< to a second
[[nodiscard]] std::string utc_text(std::chrono::system_clock::time_point t);  ///< ISO 8601
[[nodiscard]] std::string age_text(std::chrono::system_clock::time_point t);  ///< 3 min
/// Control characters as \xNN, so that a text stays on its line.
[[nodiscard]] std::string one_line(std::string_view text);

/// One document on stdout.
void print_json(const Json& document);

}  // namespace cairn::tool
