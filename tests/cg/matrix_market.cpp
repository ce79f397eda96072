#include "matrix_market.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <zlib.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "cairn/core/error.hpp"
#include "scratch.hpp"

using namespace cairn;
using namespace cairn::cg;

namespace {

const std::string real_header = "%%MatrixMarket matrix coordinate real general\n";

std::string gzipped(const std::string& text) {
  const test::Scratch scratch;
  const auto path = scratch / "text.gz";
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  return test::bytes_of(path);
}

struct Matrix {
  std::uint64_t rows = 0;
  std::vector<Entry> entries;
};

bool operator==(const Matrix& a, const Matrix& b) {
  return a.rows == b.rows && std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(),
                                        b.entries.end(), [](const Entry& x, const Entry& y) {
                                          return x.row == y.row && x.column == y.column &&
                                                 x.value == y.value;
                                        });
}

Matrix read_matrix(const std::string& bytes) {
  const test::Scratch scratch;
  MatrixReader reader(scratch.file("a.mtx", bytes));
  Matrix matrix{reader.rows(), {}};
  while (const auto entry = reader.next()) matrix.entries.push_back(*entry);
  CHECK(matrix.entries.size() == reader.entries());
  return matrix;
}

std::vector<double> read_array(const std::string& bytes, std::uint64_t rows) {
  const test::Scratch scratch;
  ArrayReader reader(scratch.file("b.mtx", bytes), rows);
  std::vector<double> values;
  while (const auto value = reader.next()) values.push_back(*value);
  return values;
}

/// The message of the bad_data that `work` throws, agreed; otherwise what it threw instead.
std::string refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    if (error.code() == Errc::bad_data && error.agreed()) return error.what();
    return std::string("another error: ") + error.what();
  }
  return "nothing";
}

/// Whether the refusal of a matrix file names the line, and says `words`.
bool refused(const std::string& bytes, int line, const std::string& words) {
  const auto text = refusal([&] { (void)read_matrix(bytes); });
  const bool fits = text.find("a.mtx, line " + std::to_string(line) + ": ") != std::string::npos &&
                    text.find(words) != std::string::npos;
  if (!fits) MESSAGE(text);
  return fits;
}

}  // namespace

TEST_CASE("the kinds of matrices") {
  const Matrix expected{2, {{0, 0, 2}, {1, 0, -1}, {1, 1, 2}}};
  CHECK(read_matrix(real_header + "2 2 3\n1 1 2.0\n2 1 -1e0\n2 2 +.2e1\n") == expected);
  CHECK(read_matrix("%%MatrixMarket matrix coordinate integer symmetric\n2 2 3\n1 1 2\n2 1 -1\n2 2 "
                    "+2\n") == expected);
  CHECK(read_matrix("%%MatrixMarket matrix coordinate pattern symmetric\n2 2 3\n1 1\n2 1\n2 2\n") ==
        Matrix{2, {{0, 0, 1}, {1, 0, 1}, {1, 1, 1}}});
  const test::Scratch scratch;
  const auto symmetry = [&](const std::string& word) {
    return MatrixReader(scratch.file("a.mtx", "%%MatrixMarket matrix coordinate real " + word +
                                                  "\n1 1 1\n1 1 1\n"))
        .symmetry();
  };
  CHECK(symmetry("general") == MatrixReader::Symmetry::general);
  CHECK(symmetry("symmetric") == MatrixReader::Symmetry::symmetric);
}

TEST_CASE("comments, blank lines, tabs, CR LF, capitals, no end of line, and gzip") {
  const Matrix expected{2, {{0, 0, 2}, {1, 1, 0.1}}};
  const std::string text =
      "%%matrixmarket MATRIX Coordinate REAL General\n% by hand\n\n%\n  2\t2  2 \n\n1 1 2\n"
      "% between\n\t2 2 0.1";
  CHECK(read_matrix(text) == expected);
  CHECK(read_matrix(text + "\n\n%end\n") == expected);
  CHECK(read_matrix(gzipped(text)) == expected);
  std::string crlf;
  for (const char c : text) crlf += c == '\n' ? "\r\n" : std::string(1, c);
  CHECK(read_matrix(crlf) == expected);
  CHECK(read_matrix(crlf + "\r\n") == expected);
}

TEST_CASE("numbers are the nearest doubles") {
  const auto number = [](const std::string& word) {
    return read_matrix(real_header + "1 1 1\n1 1 " + word + "\n").entries.at(0).value;
  };
  CHECK(number("0.1") == 0.1);
  CHECK(number("1e-320") == 1e-320);  // denormal
  CHECK(number("-1e-400") == 0.0);    // nearer to nothing than to the smallest
  CHECK(number("1.7976931348623157e308") == 1.7976931348623157e308);
  CHECK(number("9007199254740993") == 9007199254740992.0);
  CHECK(number("2.00000000000000011102230246251565404") == 2.0);
  CHECK(number("1E+2") == 100.0);
}

TEST_CASE("a text that is longer than the reader's buffer, with lines across its end") {
  constexpr std::uint64_t n = 200000;
  std::string text = real_header + "%" + std::string(700000, 'x') + "\n" + std::to_string(n) + " " +
                     std::to_string(n) + " " + std::to_string(n) + "\n";
  Matrix expected{n, {}};
  for (std::uint64_t i = 0; i < n; ++i) {
    const double value = 0.25 * static_cast<double>(i);
    expected.entries.push_back({i, n - 1 - i, value});
    text +=
        std::to_string(i + 1) + " " + std::to_string(n - i) + " " + std::to_string(value) + "\n";
  }
  CHECK(text.size() > 3 * TextFile::longest_line_bytes);
  CHECK(read_matrix(text) == expected);
  CHECK(read_matrix(gzipped(text)) == expected);
  CHECK(refused(text + "1 1 x\n", static_cast<int>(n) + 4, "more entries"));
}

TEST_CASE("a file that packs well is not too short") {
  // The same line again and again: gzip makes the file about a thousand times smaller.
  constexpr std::size_t n = 200000;
  auto text = "%%MatrixMarket matrix coordinate pattern general\n1 1 " + std::to_string(n) + "\n";
  for (std::size_t i = 0; i < n; ++i) text += "1 1\n";
  CHECK(read_matrix(gzipped(text)).entries.size() == n);
  text.pop_back();
  CHECK(read_matrix(text).entries.size() == n);
}

TEST_CASE("bad headers") {
  CHECK(refused("", 1, "no Matrix Market header"));
  CHECK(refused("1 1 1\n", 1, "no Matrix Market header"));
  CHECK(refused("%MatrixMarket matrix coordinate real general\n", 1, "no Matrix Market header"));
  CHECK(refused("\n" + real_header, 1, "no Matrix Market header"));
  CHECK(refused("%%MatrixMarket vector coordinate real general\n", 1, "'vector'"));
  CHECK(refused("%%MatrixMarket matrix array real general\n1 1\n1\n", 1, "'array'"));
  CHECK(
      refused("%%MatrixMarket matrix coordinate complex general\n", 1,
              "'complex' in the header is none of what is supported here: real, integer, pattern"));
  CHECK(refused("%%MatrixMarket matrix coordinate real skew-symmetric\n", 1, "'skew-symmetric'"));
  CHECK(refused("%%MatrixMarket matrix coordinate real hermitian\n", 1, "'hermitian'"));
  CHECK(refused("%%MatrixMarket matrix coordinate real\n", 1, "''"));
  CHECK(refused("%%MatrixMarket matrix coordinate real general now\n", 1, "one word too many"));
}

TEST_CASE("bad sizes") {
  CHECK(refused(real_header, 1, "ends before the line with the numbers of rows"));
  CHECK(refused(real_header + "% a\n\n2 2\n", 4, "''"));
  CHECK(refused(real_header + "2 2 2 2\n", 2, "'2' behind the numbers"));
  CHECK(refused(real_header + "two 2 2\n", 2, "'two'"));
  CHECK(refused(real_header + "2.0 2 2\n", 2, "'2.0'"));
  CHECK(refused(real_header + "-2 -2 2\n", 2, "'-2'"));
  CHECK(refused(real_header + "99999999999999999999 1 1\n", 2, "'99999999999999999999'"));
  CHECK(refused(real_header + "0 0 0\n", 2, "without rows"));
  CHECK(refused(real_header + "%\n2 3 6\n", 3, "2 x 3 is not square"));
  CHECK(refused(real_header + "3 3 2\n", 2, "not positive definite"));
  const std::string most = std::to_string(std::numeric_limits<std::int64_t>::max());
  for (const std::string& n : {std::string("1000000"), std::string("9000000000000000000"), most}) {
    const auto lie = real_header + n + " " + n + " " + n + "\n" + n + " 1 1\n";
    CHECK(refused(lie, 2, "the file is too short for " + n + " entries"));
    CHECK(refused(gzipped(lie), 2, "the file is too short for " + n + " entries"));
  }
}

TEST_CASE("bad entries") {
  const std::string two = real_header + "2 2 2\n";
  CHECK(refused(two + "1 1 1\n", 3, "ends after 1 entry of 2"));
  CHECK(refused(two + "1 1 1\n2 2 1\n\n2 1 1\n", 6, "more entries than the 2"));
  CHECK(refused(two + "1 1 1\n% a\n3 2 1\n", 5, "'3' is no row of a matrix of 2 x 2"));
  CHECK(refused(two + "1 0 1\n", 3, "'0' is no column"));
  CHECK(refused(two + "-1 1 1\n", 3, "'-1' is no row"));
  CHECK(refused(two + "1.5 1 1\n", 3, "'1.5' is no row"));
  CHECK(refused(two + "1\n", 3, "'' is no column"));
  CHECK(refused(two + "1 1\n", 3, "the value is missing"));
  CHECK(refused(two + "1 1 1 0\n", 3, "'0' behind an entry"));
  for (const std::string word :
       {"abc", "1.0.0", "1e", "nan", "inf", "-inf", "1e999", "0x10", "+-1"})
    CHECK(refused(two + "1 1 " + word + "\n", 3, "'" + word + "' is no finite number"));
  CHECK(refused("%%MatrixMarket matrix coordinate integer general\n1 1 1\n1 1 1.5\n", 3,
                "'1.5' is no integer"));
  CHECK(refused("%%MatrixMarket matrix coordinate pattern general\n1 1 1\n1 1 1\n", 3,
                "'1' behind an entry"));
  CHECK(refused("%%MatrixMarket matrix coordinate real symmetric\n2 2 2\n1 1 1\n1 2 1\n", 4,
                "above the diagonal"));
  CHECK(refused(real_header + "1 1 1\n" + std::string(TextFile::longest_line_bytes, '1'), 3,
                "this is no text file"));
  CHECK(refused(two + std::string(1, '\0') + "\n", 3, "'?' is no row"));
}

TEST_CASE("damaged gzip files") {
  const auto good = gzipped(real_header + "2 2 2\n1 1 1\n2 2 1\n");
  const auto damaged = [](const std::string& bytes) {
    return refusal([&] { (void)read_matrix(bytes); }).find("is a damaged gzip file") !=
           std::string::npos;
  };
  CHECK(damaged(good.substr(0, good.size() / 2)));
  CHECK(damaged(good.substr(0, good.size() - 1)));
  for (const std::size_t at : {good.size() / 2, good.size() - 6}) {  // the data, the checksum
    auto flipped = good;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    CHECK(damaged(flipped));
  }
}

TEST_CASE("what is no file, and what may not be read") {
  const test::Scratch scratch;
  const auto code_of = [](const std::filesystem::path& path) {
    try {
      const MatrixReader reader(path);
    } catch (const Error& error) {
      return error.code();
    }
    return Errc::internal;
  };
  CHECK(code_of(scratch / "none.mtx") == Errc::no_input);
  CHECK(code_of(scratch.path()) == Errc::usage);
  const auto pipe = scratch / "pipe";
  CHECK(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(code_of(pipe) == Errc::usage);
}

TEST_CASE("arrays") {
  const std::string header = "%%MatrixMarket matrix array real general\n";
  CHECK(read_array(header + "% b\n3 1\n1.5\n\n-2\n3e-2\n", 3) ==
        std::vector<double>{1.5, -2, 3e-2});
  CHECK(read_array(gzipped("%%MatrixMarket matrix array integer general\r\n2 1\r\n1\r\n-2\r\n"),
                   2) == std::vector<double>{1, -2});
  const auto says = [&](const std::string& bytes, const std::string& words) {
    const auto text = refusal([&] { (void)read_array(bytes, 3); });
    if (text.find(words) == std::string::npos) MESSAGE(text);
    return text.find(words) != std::string::npos;
  };
  CHECK(says(header + "2 1\n1\n2\n", "line 2: an array of 2 x 1 where a vector of 3 x 1"));
  CHECK(says(header + "3 2\n", "line 2: an array of 3 x 2"));
  CHECK(says(header + "3\n", "line 2: ''"));
  CHECK(says(header + "3 1\n1\n2\n", "line 4: the file ends after 2 values of 3"));
  CHECK(says(header + "3 1\n1\n2\n3\n4\n", "line 6: more values than the 3"));
  CHECK(says(header + "3 1\n1 2\n", "line 3: '2' behind a value"));
  CHECK(says(header + "3 1\nx\n", "line 3: 'x' is no finite number"));
  CHECK(says(real_header + "3 3 3\n", "line 1: 'coordinate'"));
  CHECK(says("%%MatrixMarket matrix array pattern general\n", "line 1: 'pattern'"));
  CHECK(says("%%MatrixMarket matrix array real symmetric\n", "line 1: 'symmetric'"));
}
