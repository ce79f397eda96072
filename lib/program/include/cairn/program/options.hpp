/// Options of a program: command line over environment over configuration file over default.
///
///     int size = 1024;
///     Options options("cairn-heat", "2-D heat equation by finite differences");
///     options.add("size", size, "grid points per side");
#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cairn::program {

/// Types that an option can have.
template <typename T>
concept OptionType = std::same_as<T, int> || std::same_as<T, std::uint64_t> ||
    std::same_as<T, double> || std::same_as<T, std::string> ||
    std::same_as<T, std::filesystem::path> || std::same_as<T, std::vector<std::string>>;

/// What a source said about one option.
struct GivenOption {
  std::vector<std::string> values;  ///< one, or several for a list
  std::string source;               ///< "--size", "CAIRN_SIZE" or "FILE: size", for messages
};

/// By option name; positional arguments stand under the empty name.
using GivenOptions = std::map<std::string, GivenOption>;

/// The options of one program, and the variables that they fill.
///
/// | source           | example              |                                        |
/// |------------------|----------------------|----------------------------------------|
/// | command line     | `--ckpt-dir epochs`  | or `--ckpt-dir=epochs`; the last wins  |
/// | environment      | `CAIRN_CKPT_DIR`     | empty counts as unset                  |
/// | `--config FILE`  | `ckpt-dir = epochs`  | an ini file; `#` starts a comment      |
/// | default          |                      | what the variable held at add()        |
class Options {
 public:
  /// Which options come by themselves. parallel: --help, --version, --config FILE, --threads N,
  /// --log-level LEVEL, --quiet, and --list-failpoints, which the help does not show. tool (no MPI,
  /// and programs of its own to start, which read the same CAIRN_CONFIG): --help, --version.
  enum class Kind { parallel, tool };

  /// @param name              of the program, for messages and the help
  /// @param summary           one line for the help
  /// @param positional_usage  how the help shows positional arguments, for example "INPUT…"
  explicit Options(std::string name, std::string summary, std::string positional_usage = "",
                   Kind kind = Kind::parallel);
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;

  /// An option with a value.
  ///
  /// @param name    "ckpt-dir" for --ckpt-dir; "ranks,n" for --ranks and -n
  /// @param target  the caller's, alive while this object is; holds the default, receives the value
  /// @param help    one sentence, with the unit of a quantity
  template <OptionType T>
  Options& add(std::string name, T& target, std::string help) {
    return add_entry(std::move(name), &target, std::move(help));
  }

  /// An option without a value; `true`/`false` in the environment and in a file.
  Options& flag(std::string name, bool& target, std::string help) {
    return add_entry(std::move(name), &target, std::move(help));
  }

  /// All positional arguments. Without this call there may be none.
  Options& positional(std::string name, std::vector<std::string>& target, std::string help);

  /// Everything from the first positional argument on, options included: for a tool that starts
  /// another program.
  Options& command(std::string name, std::vector<std::string>& target, std::string help);

  /// The help shows no default for this option, because its help text says what happens without it.
  Options& hide_default(std::string_view name);

  /// A command line that the help shows as an example.
  Options& example(std::string command_line);

  /// Reads the three sources; changes nothing. Local.
  ///
  /// @throws Error{Errc::usage} for an unknown option (with the closest known one), a missing
  /// value, an unexpected argument, a malformed file; {no_input} for a missing file
  [[nodiscard]] GivenOptions collect(int argc, const char* const* argv) const;

  /// Converts what was given and fills the targets. Local.
  /// @throws Error{Errc::usage} for a malformed value; targets are then partly filled
  void assign(const GivenOptions& given);

  /// collect() and assign().
  void parse(int argc, const char* const* argv) { assign(collect(argc, argv)); }

  /// Whether any source gave the option a value.
  [[nodiscard]] bool given(std::string_view name) const;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// The text of --help, wrapped at 100 columns.
  [[nodiscard]] std::string help() const;
  /// The text of --version: one line.
  [[nodiscard]] std::string version_line() const;

  /// The values of the options that come by themselves.
  struct General {
    bool help = false;
    bool version = false;
    bool quiet = false;
    bool list_failpoints = false;
    int threads = 0;             ///< 0: not given
    double progress_every = -1;  ///< seconds; less than 0: not given
    std::string log_level = "info";
    std::filesystem::path config;
  };
  [[nodiscard]] const General& general() const noexcept { return general_; }

 private:
  using Target = std::variant<bool*, int*, std::uint64_t*, double*, std::string*,
                              std::filesystem::path*, std::vector<std::string>*>;
  enum class Group { program, general, hidden };
  struct Entry {
    std::string name;
    char short_name = 0;
    Target target;
    std::string help;
    std::string default_text;
    Group group = Group::program;

    [[nodiscard]] bool is_flag() const { return std::holds_alternative<bool*>(target); }
    [[nodiscard]] std::string environment_name() const;
  };
  struct Positional {
    std::string name;
    std::vector<std::string>* target = nullptr;
    std::string help;
    bool takes_the_rest = false;
  };
  friend class OptionSources;

  Options& add_entry(std::string name, Target target, std::string help);
  [[nodiscard]] const Entry* find(std::string_view name) const;
  [[nodiscard]] std::string option_lines(Group group) const;
  [[nodiscard]] std::string settings_note() const;

  std::string name_;
  std::string summary_;
  std::string positional_usage_;
  Kind kind_;
  std::vector<Entry> entries_;
  Positional positional_;
  std::vector<std::string> examples_;
  General general_;
  GivenOptions given_;
};

}  // namespace cairn::program
