#include "matrix_market.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>

#include "cairn/core/error.hpp"

namespace cairn::cg {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// The next word of `text`, which is cut off it; empty at the end.
std::string_view take_word(std::string_view& text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  std::size_t length = 0;
  while (length < text.size() && !is_blank(text[length])) ++length;
  const auto word = text.substr(0, length);
  text.remove_prefix(length);
  return word;
}

std::string lower_case(std::string_view word) {
  std::string text(word);
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

/// A word of a file in a message: short, and printable.
std::string quoted(std::string_view word) {
  constexpr std::size_t enough = 40;
  std::string text = "'";
  for (const char c : word.substr(0, enough)) text += c >= ' ' && c <= '~' ? c : '?';
  return text + (word.size() > enough ? "…'" : "'");
}

/// The next line that is neither blank nor a comment.
std::optional<std::string_view> next_data_line(TextFile& file) {
  while (const auto line = file.next()) {
    auto rest = *line;
    const auto word = take_word(rest);
    if (!word.empty() && word.front() != '%') return line;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> parse_count(std::string_view word) {
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (code != std::errc() || end != word.data() + word.size() || value < 0) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

/// C and Fortran write a plus where std::from_chars takes none.
std::string_view without_plus(std::string_view word) {
  const bool has_plus = word.size() > 1 && word[0] == '+' && word[1] != '-' && word[1] != '+';
  return has_plus ? word.substr(1) : word;
}

std::optional<double> parse_integer(std::string_view word) {
  word = without_plus(word);
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (code != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return static_cast<double>(value);
}

std::optional<double> parse_real(std::string_view word) {
  word = without_plus(word);
  double value = 0;
  const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (end != word.data() + word.size() || code == std::errc::invalid_argument) return std::nullopt;
  if (code == std::errc::result_out_of_range)
    value = std::strtod(std::string(word).c_str(), nullptr);
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

/// The number in `word`, as the header's field says.
double parse_value(const TextFile& file, MatrixReader::Field field, std::string_view word) {
  const bool is_integer = field == MatrixReader::Field::integer;
  const auto value = is_integer ? parse_integer(word) : parse_real(word);
  if (value) return *value;
  if (word.empty()) file.refuse("the value is missing");
  file.refuse(quoted(word) + (is_integer ? " is no integer" : " is no finite number"));
}

/// What the words of the header may be, and what they stand for.
template <typename Meaning>
struct Word {
  std::string_view text;
  Meaning meaning;
};

template <typename Meaning, std::size_t n>
Meaning meaning_of(const TextFile& file, std::string_view word,
                   const std::array<Word<Meaning>, n>& known) {
  const auto lower = lower_case(word);
  std::string names;
  for (const auto& [text, meaning] : known) {
    if (text == lower) return meaning;
    names += (names.empty() ? "" : ", ") + std::string(text);
  }
  file.refuse(quoted(word) + " in the header is none of what is supported here: " + names);
}

using Field = MatrixReader::Field;
using Symmetry = MatrixReader::Symmetry;

struct Header {
  Field field;
  Symmetry symmetry;
};

constexpr std::string_view coordinate = "coordinate";
constexpr std::string_view array = "array";

/// Reads the first line, which has to be of this `format`.
Header read_header(TextFile& file, std::string_view format) {
  auto line = file.next().value_or("");
  if (lower_case(take_word(line)) != "%%matrixmarket") {
    file.refuse("no Matrix Market header; a file of this kind begins with '%%MatrixMarket matrix " +
                std::string(format) + " real general'");
  }
  (void)meaning_of<int>(file, take_word(line), std::array<Word<int>, 1>{{{"matrix", 0}}});
  (void)meaning_of<int>(file, take_word(line), std::array<Word<int>, 1>{{{format, 0}}});
  Header header{};
  const auto field = take_word(line);
  if (format == coordinate) {
    header.field = meaning_of<Field>(
        file, field,
        std::array<Word<Field>, 3>{
            {{"real", Field::real}, {"integer", Field::integer}, {"pattern", Field::pattern}}});
  } else {
    header.field = meaning_of<Field>(
        file, field,
        std::array<Word<Field>, 2>{{{"real", Field::real}, {"integer", Field::integer}}});
  }
  const auto symmetry = take_word(line);
  if (format == coordinate) {
    header.symmetry =
        meaning_of<Symmetry>(file, symmetry,
                             std::array<Word<Symmetry>, 2>{{{"general", Symmetry::general},
                                                            {"symmetric", Symmetry::symmetric}}});
  } else {
    header.symmetry = meaning_of<Symmetry>(
        file, symmetry, std::array<Word<Symmetry>, 1>{{{"general", Symmetry::general}}});
  }
  if (const auto more = take_word(line); !more.empty())
    file.refuse(quoted(more) + " is one word too many for a header");
  return header;
}

/// The n numbers of the line with the sizes, and nothing else.
template <std::size_t n>
std::array<std::uint64_t, n> read_sizes(TextFile& file, const std::string& what) {
  auto line = next_data_line(file);
  if (!line) file.refuse("the file ends before the line with " + what);
  std::array<std::uint64_t, n> sizes{};
  for (auto& size : sizes) {
    const auto word = take_word(*line);
    const auto count = parse_count(word);
    if (!count) file.refuse(quoted(word) + " where " + what + " are expected");
    size = *count;
  }
  if (const auto more = take_word(*line); !more.empty())
    file.refuse(quoted(more) + " behind " + what);
  return sizes;
}

std::string plural(std::uint64_t count, const std::string& one, const std::string& many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

}  // namespace

MatrixReader::MatrixReader(const std::filesystem::path& path) : file_(path) {
  const auto header = read_header(file_, coordinate);
  field_ = header.field;
  symmetry_ = header.symmetry;
  const auto [rows, columns, entries] =
      read_sizes<3>(file_, "the numbers of rows, columns and entries");
  if (rows != columns) {
    file_.refuse("a matrix of " + std::to_string(rows) + " x " + std::to_string(columns) +
                 " is not square, hence not symmetric positive definite");
  }
  if (rows == 0) file_.refuse("a matrix without rows");
  if (entries < rows) {
    file_.refuse(plural(entries, "entry", "entries") + " for " + plural(rows, "row", "rows") +
                 " leave zeros on the diagonal: the matrix is not positive definite");
  }
  constexpr std::uint64_t least_bytes = 4;  // of an entry: two indices, a blank, the line's end
  if (entries > file_.most_bytes() / least_bytes)
    file_.refuse("the file is too short for " + plural(entries, "entry", "entries"));
  rows_ = rows;
  entries_ = entries;
}

std::optional<Entry> MatrixReader::next() {
  const auto line = next_data_line(file_);
  if (!line) {
    if (read_ == entries_) return std::nullopt;
    file_.refuse("the file ends after " + plural(read_, "entry", "entries") + " of " +
                 std::to_string(entries_));
  }
  if (read_ == entries_) {
    file_.refuse("more entries than the " + std::to_string(entries_) + " that the file promises");
  }
  ++read_;
  return entry(*line);
}

Entry MatrixReader::entry(std::string_view line) const {
  const auto index = [&](const char* what) {
    const auto word = take_word(line);
    const auto number = parse_count(word);
    if (!number || *number < 1 || *number > rows_) {
      file_.refuse(quoted(word) + " is no " + what + " of a matrix of " + std::to_string(rows_) +
                   " x " + std::to_string(rows_));
    }
    return *number - 1;
  };
  Entry entry;
  entry.row = index("row");
  entry.column = index("column");
  entry.value = field_ == Field::pattern ? 1.0 : parse_value(file_, field_, take_word(line));
  if (const auto more = take_word(line); !more.empty())
    file_.refuse(quoted(more) + " behind an entry");
  if (symmetry_ == Symmetry::symmetric && entry.column > entry.row) {
    file_.refuse(
        "an entry above the diagonal in a symmetric file, which holds the lower triangle "
        "for both; swap the indices, or call the file general");
  }
  return entry;
}

ArrayReader::ArrayReader(const std::filesystem::path& path, std::uint64_t rows) : file_(path) {
  field_ = read_header(file_, array).field;
  const auto [has_rows, columns] = read_sizes<2>(file_, "the numbers of rows and columns");
  if (has_rows != rows || columns != 1) {
    file_.refuse("an array of " + std::to_string(has_rows) + " x " + std::to_string(columns) +
                 " where a vector of " + std::to_string(rows) + " x 1 is needed");
  }
  rows_ = rows;
}

std::optional<double> ArrayReader::next() {
  auto line = next_data_line(file_);
  if (!line) {
    if (read_ == rows_) return std::nullopt;
    file_.refuse("the file ends after " + plural(read_, "value", "values") + " of " +
                 std::to_string(rows_));
  }
  if (read_ == rows_) file_.refuse("more values than the " + std::to_string(rows_) + " promised");
  ++read_;
  const double value = parse_value(file_, field_, take_word(*line));
  if (const auto more = take_word(*line); !more.empty())
    file_.refuse(quoted(more) + " behind a value");
  return value;
}

}  // namespace cairn::cg
