#include "sources.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <numeric>
#include <sstream>

#include "cairn/core/error.hpp"

namespace cairn::program {

namespace po = boost::program_options;

namespace {

/// The number of insertions, deletions and replacements between two words.
/// Source: Wagner, Fischer, "The string-to-string correction problem", JACM 21 (1974) 168-173.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

[[noreturn]] void usage_error(const std::string& message) { throw Error(Errc::usage, message); }

}  // namespace

OptionSources::OptionSources(const Options& options) : options_(options) {
  for (const auto& entry : options.entries_) {
    const auto name =
        entry.name + (entry.short_name == 0 ? "" : std::string{',', entry.short_name});
    auto* value = po::value<std::string>();
    if (entry.is_flag()) value->implicit_value("true")->zero_tokens();
    description_.add_options()(name.c_str(), value);
  }
}

void OptionSources::unknown(const std::string& shown, const std::string& name) const {
  const std::string dashes = shown.find("'--") == std::string::npos ? "" : "--";
  const Options::Entry* closest = nullptr;
  std::size_t least = name.size() < 4 ? 2 : std::max<std::size_t>(3, 1 + name.size() / 3);
  for (const auto& entry : options_.entries_) {
    if (entry.group == Options::Group::hidden) continue;
    const auto distance =
        name.size() >= 3 && entry.name.starts_with(name) ? 1 : edit_distance(name, entry.name);
    if (distance < least) {
      least = distance;
      closest = &entry;
    }
  }
  usage_error(shown +
              (closest == nullptr ? "" : "; did you mean '" + dashes + closest->name + "'?") +
              " (" + options_.name_ + " --help lists all)");
}

void OptionSources::add(const po::parsed_options& parsed, const std::string& prefix) {
  GivenOptions here;
  for (const auto& option : parsed.options) {
    const auto source = prefix == "CAIRN_" ? options_.find(option.string_key)->environment_name()
                                           : prefix + option.string_key;
    auto& entry = here[option.string_key];
    entry.source = source;
    const auto* known = options_.find(option.string_key);
    const bool is_list =
        known == nullptr || std::holds_alternative<std::vector<std::string>*>(known->target);
    if (!is_list) entry.values.clear();  // the last one wins
    entry.values.insert(entry.values.end(), option.value.begin(), option.value.end());
    if (option.value.empty()) entry.values.emplace_back(known->is_flag() ? "true" : "");
  }
  given_.merge(here);
}

/// Whether the argument is an option whose value is the next argument.
bool OptionSources::takes_next_argument(const std::string& argument) const {
  if (argument.find('=') != std::string::npos) return false;
  for (const auto& entry : options_.entries_) {
    const bool matches = argument == "--" + entry.name ||
                         (entry.short_name != 0 && argument == std::string{'-', entry.short_name});
    if (matches) return !entry.is_flag();
  }
  return false;
}

/// Cuts the arguments in front of the first positional one; the rest becomes the command.
std::vector<std::string> OptionSources::before_command(std::vector<std::string> arguments) {
  std::size_t first = 0;
  while (first < arguments.size() && arguments[first].starts_with("-") &&
         arguments[first] != "--") {
    first += takes_next_argument(arguments[first]) ? 2 : 1;
  }
  if (first >= arguments.size()) return arguments;
  const auto cut = arguments.begin() + static_cast<std::ptrdiff_t>(first);
  const auto command = *cut == "--" ? cut + 1 : cut;
  if (command != arguments.end()) given_[""] = {{command, arguments.end()}, "command line"};
  arguments.erase(cut, arguments.end());
  return arguments;
}

void OptionSources::read_command_line(int argc, const char* const* argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  if (options_.positional_.takes_the_rest) arguments = before_command(std::move(arguments));
  namespace style = po::command_line_style;
  try {
    auto parsed =
        po::command_line_parser(arguments)
            .options(description_)
            .style(style::allow_long | style::long_allow_adjacent | style::long_allow_next |
                   style::allow_short | style::allow_dash_for_short | style::short_allow_adjacent |
                   style::short_allow_next)
            .run();
    const auto positional =
        std::find_if(parsed.options.begin(), parsed.options.end(),
                     [](const auto& option) { return option.string_key.empty(); });
    if (positional != parsed.options.end() && options_.positional_.target == nullptr) {
      usage_error("unexpected argument '" + positional->value.front() + "' (" + options_.name_ +
                  " --help lists what it takes)");
    }
    add(parsed, "--");
  } catch (const po::unknown_option& error) {
    const auto name = error.get_option_name();
    unknown("unknown option '" + name + "'", name.substr(std::min<std::size_t>(2, name.size())));
  } catch (const po::invalid_command_line_syntax& error) {
    const bool missing = error.kind() == po::invalid_syntax::missing_parameter ||
                         error.kind() == po::invalid_syntax::empty_adjacent_parameter;
    usage_error("option '" + error.get_option_name() + "' " +
                (missing ? "needs a value" : "takes no value"));
  } catch (const po::error& error) {
    usage_error(error.what());
  }
}

void OptionSources::read_environment() {
  add(po::parse_environment(description_,
                            [this](const std::string& variable) -> std::string {
                              for (const auto& entry : options_.entries_) {
                                if (entry.environment_name() != variable) continue;
                                const char* value = std::getenv(variable.c_str());
                                return value == nullptr || *value == '\0' ? "" : entry.name;
                              }
                              return "";
                            }),
      "CAIRN_");
}

void OptionSources::read_file() {
  const auto named = given_.find("config");
  if (named == given_.end()) return;
  const auto& path = named->second.values.front();
  std::ifstream file(path);
  if (!file) throw_errno(errno, named->second.source + ": open " + path);
  try {
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (text.find('\0') != std::string::npos) usage_error(path + " is not text: it has a byte 0");
    std::istringstream lines(text);
    auto parsed = po::parse_config_file(lines, description_, true);
    for (const auto& option : parsed.options) {
      if (options_.find(option.string_key) == nullptr) {
        unknown(path + ": unknown option '" + option.string_key + "'", option.string_key);
      }
    }
    add(parsed, path + ": ");
  } catch (const po::error& error) {
    usage_error(path + ": " + error.what() + "; write lines of the form 'size = 1024'");
  } catch (const std::ios_base::failure&) {
    usage_error(path + " cannot be read");
  }
}

}  // namespace cairn::program
