#include "cairn/program/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "cairn/core/error.hpp"
#include "cairn/program/log.hpp"
#include "sources.hpp"

namespace cairn::program {

namespace {

/// The whole text as a number, or nothing.
template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

[[noreturn]] void malformed(const GivenOption& given, std::string_view wanted) {
  throw Error(Errc::usage,
              fmt::format("{}: '{}' is not {}", given.source, given.values.front(), wanted));
}

/// Converts what was given into the type behind the pointer.
struct Assign {
  const GivenOption& given;

  void operator()(bool* target) const {
    const auto& text = given.values.front();
    const auto is_one_of = [&](auto... words) { return ((text == words) || ...); };
    if (is_one_of("true", "1", "yes", "on")) {
      *target = true;
    } else if (is_one_of("false", "0", "no", "off")) {
      *target = false;
    } else {
      malformed(given, "true or false");
    }
  }
  void operator()(int* target) const {
    const auto value = parse_number<int>(given.values.front());
    if (!value)
      malformed(given, fmt::format("an integer between {} and {}", std::numeric_limits<int>::min(),
                                   std::numeric_limits<int>::max()));
    *target = *value;
  }
  void operator()(std::uint64_t* target) const {
    const auto value = parse_number<std::uint64_t>(given.values.front());
    if (!value)
      malformed(given, fmt::format("an integer between 0 and {}",
                                   std::numeric_limits<std::uint64_t>::max()));
    *target = *value;
  }
  void operator()(double* target) const {
    const auto value = parse_number<double>(given.values.front());
    if (!value || !std::isfinite(*value)) malformed(given, "a finite number");
    *target = *value;
  }
  void operator()(std::string* target) const { *target = given.values.front(); }
  void operator()(std::filesystem::path* target) const { *target = given.values.front(); }
  void operator()(std::vector<std::string>* target) const { *target = given.values; }
};

/// What the help shows as the default; empty for "none".
struct DefaultText {
  std::string operator()(const bool*) const { return ""; }
  std::string operator()(const int* value) const { return std::to_string(*value); }
  std::string operator()(const std::uint64_t* value) const { return std::to_string(*value); }
  std::string operator()(const double* value) const { return fmt::format("{}", *value); }
  std::string operator()(const std::string* value) const { return *value; }
  std::string operator()(const std::filesystem::path* value) const { return value->string(); }
  std::string operator()(const std::vector<std::string>* value) const {
    return fmt::format("{}", fmt::join(*value, ", "));
  }
};

}  // namespace

std::string Options::Entry::environment_name() const {
  std::string variable = "CAIRN_" + name;
  std::transform(variable.begin(), variable.end(), variable.begin(), [](unsigned char letter) {
    return letter == '-' ? '_' : static_cast<char>(std::toupper(letter));
  });
  return variable;
}

Options::Options(std::string name, std::string summary, std::string positional_usage, Kind kind)
    : name_(std::move(name)),
      summary_(std::move(summary)),
      positional_usage_(std::move(positional_usage)),
      kind_(kind) {
  flag("help,h", general_.help, "print this text and exit");
  flag("version", general_.version, "print the version and exit");
  if (kind_ == Kind::parallel) {
    add("config", general_.config, "read options from this file, lines of the form 'size = 1024'");
    add("threads", general_.threads,
        "OpenMP threads per rank (default: OMP_NUM_THREADS, else this rank's share of the node's "
        "cores)");
    hide_default("threads");
    add("log-level", general_.log_level,
        "what to say on stderr: trace, debug, info, warning or error");
    add("progress-every", general_.progress_every,
        "seconds between lines of progress where stderr is no terminal, 0 for none (default: after "
        "1, 2, 4, … minutes, then every hour)");
    hide_default("progress-every");
    flag("quiet", general_.quiet, "say nothing but warnings and errors, show no progress");
  }
  for (auto& entry : entries_) entry.group = Group::general;
  if (kind_ == Kind::parallel) {
    flag("list-failpoints", general_.list_failpoints, "print the names of all failpoints and exit");
    entries_.back().group = Group::hidden;
  }
}

Options& Options::add_entry(std::string name, Target target, std::string help) {
  Entry entry;
  if (const auto comma = name.find(','); comma != std::string::npos) {
    expects(comma + 2 == name.size(), "an option's short name has one letter");
    entry.short_name = name.back();
    name.resize(comma);
  }
  expects(!name.empty() && find(name) == nullptr, "option '" + name + "' has a name of its own");
  entry.name = std::move(name);
  entry.target = target;
  entry.help = std::move(help);
  entry.default_text = std::visit(DefaultText{}, target);
  entries_.push_back(std::move(entry));
  return *this;
}

Options& Options::positional(std::string name, std::vector<std::string>& target, std::string help) {
  positional_ = {std::move(name), &target, std::move(help), false};
  return *this;
}

Options& Options::command(std::string name, std::vector<std::string>& target, std::string help) {
  positional_ = {std::move(name), &target, std::move(help), true};
  return *this;
}

Options& Options::example(std::string command_line) {
  examples_.push_back(std::move(command_line));
  return *this;
}

Options& Options::hide_default(std::string_view name) {
  for (auto& entry : entries_) {
    if (entry.name == name) entry.default_text.clear();
  }
  return *this;
}

const Options::Entry* Options::find(std::string_view name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

GivenOptions Options::collect(int argc, const char* const* argv) const {
  OptionSources sources(*this);
  sources.read_command_line(argc, argv);
  sources.read_environment();
  sources.read_file();
  return sources.take();
}

void Options::assign(const GivenOptions& given) {
  given_ = given;
  for (const auto& [name, option] : given_) {
    if (name.empty()) {
      *positional_.target = option.values;
    } else {
      std::visit(Assign{option}, find(name)->target);
    }
  }
  constexpr int most_threads = 65536;  // OpenMP takes memory for each of them, and ends the program
  if (this->given("threads") && (general_.threads < 1 || general_.threads > most_threads)) {
    malformed(given_.at("threads"), "a number from 1 to 65536");
  }
  if (this->given("progress-every") && !(general_.progress_every >= 0)) {
    malformed(given_.at("progress-every"), "0 or more");
  }
  if (!level_from_name(general_.log_level)) {
    malformed(given_.at("log-level"), "trace, debug, info, warning or error");
  }
}

bool Options::given(std::string_view name) const { return given_.contains(std::string(name)); }

}  // namespace cairn::program
