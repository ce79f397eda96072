/// Readers of Matrix Market files: sparse matrices and vectors as text.
///
///     %%MatrixMarket matrix coordinate real symmetric       %%MatrixMarket matrix array real
///     general % a comment                                           3 1 3 3 4 1.5 1 1 4.0 2 2 1
///     -1.0                                              -3e-2 …
///
/// Words of the header in any case; comments, blank lines, CR LF and gzip wherever they are. Every
/// error is a cairn::Error with the file and the line, and marked as agreed, since all ranks read
/// the same file: no_input and permission for one that cannot be opened, bad_data for one that
/// holds something else.
///
/// Source: Boisvert, Pozo, Remington, "The Matrix Market exchange formats: initial design", NISTIR
/// 5935, 1996.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "text_file.hpp"

namespace cairn::cg {

/// An entry as it stands in the file, but numbered from 0.
struct Entry {
  std::uint64_t row = 0;
  std::uint64_t column = 0;
  double value = 0;
};

/// A square sparse matrix: coordinate; real, integer or pattern (ones); general or symmetric (the
/// lower triangle stands for both).
class MatrixReader {
 public:
  enum class Field { real, integer, pattern };
  enum class Symmetry { general, symmetric };

  /// Reads the header and the sizes.
  explicit MatrixReader(const std::filesystem::path& path);

  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::uint64_t entries() const noexcept { return entries_; }
  [[nodiscard]] Symmetry symmetry() const noexcept { return symmetry_; }

  /// The next entry, in the order of the file, checked; nothing once there were as many as the file
  /// promises, and nothing else.
  std::optional<Entry> next();

 private:
  [[nodiscard]] Entry entry(std::string_view line) const;

  TextFile file_;
  Field field_ = Field::real;
  Symmetry symmetry_ = Symmetry::general;
  std::uint64_t rows_ = 0;
  std::uint64_t entries_ = 0;
  std::uint64_t read_ = 0;
};

/// A vector: array; real or integer; n rows and one column.
class ArrayReader {
 public:
  /// Reads the header and the sizes.
  /// @param rows  how many rows there have to be
  ArrayReader(const std::filesystem::path& path, std::uint64_t rows);

  /// The next value, checked; nothing behind the last one.
  std::optional<double> next();

 private:
  TextFile file_;
  MatrixReader::Field field_ = MatrixReader::Field::real;
  std::uint64_t rows_ = 0;
  std::uint64_t read_ = 0;
};

}  // namespace cairn::cg
