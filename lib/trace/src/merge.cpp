#include <algorithm>
#include <cerrno>
#include <fstream>
#include <set>
#include <string>
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

bool is_complete(const std::string& line) { return line.starts_with("{") && line.ends_with("},"); }

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
