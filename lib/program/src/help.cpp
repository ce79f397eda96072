#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "cairn/core/version.hpp"
#include "cairn/program/options.hpp"

namespace cairn::program {

namespace {

constexpr std::size_t width = 100;
constexpr std::size_t help_column = 26;

/// Columns that UTF-8 text takes, if every character takes one.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
  }));
}

/// Appends `text` word by word, with lines of at most `width` columns that start at `indent`.
void append_wrapped(std::string& out, std::string_view text, std::size_t indent,
                    std::size_t column) {
  bool first = true;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    const auto word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!first && column + 1 + columns(word) > width) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
      first = true;
    }
    if (!first) out += ' ', ++column;
    out += word;
    column += columns(word);
    first = false;
  }
  out += '\n';
}

/// "  --size N" and its help, in two columns.
void append_row(std::string& out, const std::string& left, std::string_view help) {
  out += left;
  auto column = columns(left);
  if (column + 2 > help_column) {
    out += '\n';
    column = 0;
  }
  out += std::string(help_column - column, ' ');
  append_wrapped(out, help, help_column, help_column);
}

struct Placeholder {
  const char* operator()(const bool*) const { return ""; }
  const char* operator()(const int*) const { return " N"; }
  const char* operator()(const std::uint64_t*) const { return " N"; }
  const char* operator()(const double*) const { return " X"; }
  const char* operator()(const std::string*) const { return " TEXT"; }
  const char* operator()(const std::filesystem::path*) const { return " PATH"; }
  const char* operator()(const std::vector<std::string>*) const { return " TEXT…"; }
};

constexpr std::string_view exit_codes =
    "0 done, 64 wrong usage, 65 bad data, 66 no such input, 69 a service or a rank failed, 70 a "
    "bug, "
    "74 input/output failed, 75 stopped after saving (run me again), 77 no permission, 130 Ctrl-C";

}  // namespace

std::string Options::option_lines(Group group) const {
  std::string out;
  for (const auto& entry : entries_) {
    if (entry.group != group) continue;
    auto left = entry.short_name == 0 ? "  --" : fmt::format("  -{}, --", entry.short_name);
    left += entry.name;
    left += std::visit(Placeholder{}, entry.target);
    auto help = entry.help;
    if (!entry.default_text.empty()) help += fmt::format(" (default: {})", entry.default_text);
    append_row(out, left, help);
  }
  return out;
}

std::string Options::settings_note() const {
  const auto named = std::find_if(entries_.begin(), entries_.end(), [](const Entry& entry) {
    return entry.group == Group::program && !entry.is_flag();
  });
  const bool has_file = find("config") != nullptr;
  if (named == entries_.end() && !has_file) return "";
  const auto& shown = named == entries_.end() ? *find("config") : *named;
  std::string out = "\nSettings\n  ";
  append_wrapped(
      out,
      fmt::format("Every option can also stand in the environment ({} for --{}){}. The command "
                  "line wins over "
                  "the environment{}.",
                  shown.environment_name(), shown.name,
                  has_file ? " or in the file of --config" : "",
                  has_file ? ", the environment over the file, the file over the default" : ""),
      2, 2);
  return out;
}

std::string Options::help() const {
  auto out = fmt::format("{}: {}\n\nUsage: {} [OPTION…]{}{}\n", name_, summary_, name_,
                         positional_usage_.empty() ? "" : " ", positional_usage_);
  if (kind_ == Kind::parallel) {
    out += fmt::format("       mpirun -n RANKS {} …\n       cairn run -n RANKS -- {} …\n", name_,
                       name_);
  }
  const auto own = option_lines(Group::program);
  if (!own.empty() || positional_.target != nullptr) out += "\nOptions\n" + own;
  if (positional_.target != nullptr) append_row(out, "  " + positional_.name, positional_.help);
  out += "\nGeneral options\n" + option_lines(Group::general) + settings_note();
  out += "\nExit codes\n  ";
  append_wrapped(out, exit_codes, 2, 2);
  for (const auto& line : examples_) {
    out += (&line == examples_.data() ? "\nExample\n  " : "  ") + line + "\n";
  }
  return out;
}

std::string Options::version_line() const { return fmt::format("{} (Cairn) {}\n", name_, version); }

}  // namespace cairn::program
