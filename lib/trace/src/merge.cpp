#include <algorithm>
#include <cerrno>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/core/error.hpp"
#include "cairn/trace/trace.hpp"

namespace cairn::trace {

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> event_files(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".events") files.push_back(entry->path());
  }
  if (error) throw_errno(error.value(), "read trace directory " + directory.string());
  std::sort(files.begin(), files.end());
  return files;
}

/// R of "launch-L.rank-R.events".
std::string rank_of(const fs::path& file) {
  const auto stem = file.stem().string();
  return stem.substr(stem.rfind('-') + 1);
}

/// Whether `line` is one whole event, as trace.cpp writes them: an object and a comma. A line that
/// a full disk or a kill has cut off fails, also when the next one stands right behind it: a
/// beginning leaves a brace or a string open. Names and numbers contain neither quotes nor
/// backslashes.
bool is_complete(std::string_view line) {
  if (!line.starts_with("{") || !line.ends_with("},")) return false;
  line.remove_suffix(1);
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (static_cast<unsigned char>(c) < 0x20) return false;
    if (c == '"') in_string = !in_string;
    if (in_string) continue;
    if (c == '{') ++depth;
    if (c == '}') --depth;
    if (depth == 0 && i + 1 < line.size()) return false;
  }
  return depth == 0 && !in_string;
}

}  // namespace

std::size_t merge(const fs::path& directory, const fs::path& output) {
  const auto files = event_files(directory);
  auto temporary = output;
  temporary += ".tmp";
  std::ofstream out(temporary, std::ios::trunc);
  out << "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
  std::set<std::string> ranks;
  for (const auto& file : files) ranks.insert(rank_of(file));
  std::size_t events = 0;
  for (const auto& rank : ranks) {
    out << R"({"ph":"M","name":"process_name","pid":)" << rank << R"(,"args":{"name":"rank )"
        << rank << "\"}},\n";
  }
  std::string line;
  for (const auto& file : files) {
    std::ifstream in(file);
    while (std::getline(in, line)) {
      if (!is_complete(line)) continue;
      out << line << '\n';
      ++events;
    }
  }
  out << R"({"ph":"M","name":"trace_end","pid":0})"
      << "\n]}\n";
  out.close();
  if (!out) throw_errno(errno, "write " + output.string());
  std::error_code error;
  fs::rename(temporary, output, error);
  if (error) throw_errno(error.value(), "rename " + temporary.string());
  return events;
}

}  // namespace cairn::trace
