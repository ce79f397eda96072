#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/core/atomic_file.hpp"
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
  AtomicFile out(output);
  std::string text = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
  std::set<std::string> ranks;
  for (const auto& file : files) ranks.insert(rank_of(file));
  for (const auto& rank : ranks) {
    text += R"({"ph":"M","name":"process_name","pid":)" + rank + R"(,"args":{"name":"rank )" +
            rank + "\"}},\n";
  }
  constexpr std::size_t piece_bytes = std::size_t{1} << 20;
  std::size_t events = 0;
  std::string line;
  for (const auto& file : files) {
    std::ifstream in(file);
    while (std::getline(in, line)) {
      if (!is_complete(line)) continue;
      text.append(line).push_back('\n');
      ++events;
      if (text.size() < piece_bytes) continue;
      out.write(text);
      text.clear();
    }
  }
  out.write(text + R"({"ph":"M","name":"trace_end","pid":0})" + "\n]}\n");
  out.commit();
  return events;
}

}  // namespace cairn::trace
