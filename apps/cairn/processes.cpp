#include "processes.hpp"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "cairn/core/error.hpp"

namespace cairn::tool {

namespace {

namespace fs = std::filesystem;

std::optional<pid_t> number(std::string_view text) {
  pid_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The parent in "PID (NAME) STATE PARENT …"; the name may hold anything.
std::optional<pid_t> parent_of(const fs::path& process) {
  std::ifstream file(process / "stat");
  std::string line;
  std::getline(file, line);
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream rest(line.substr(name_end + 1));
  char state = 0;
  pid_t parent = 0;
  if (!(rest >> state >> parent)) return std::nullopt;
  return parent;
}

}  // namespace

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end;
       entry.increment(error)) {
    const auto process = number(entry->path().filename().string());
    if (process && parent_of(entry->path()) == parent) children.push_back(*process);
  }
  return children;
}

std::optional<int> rank_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/environ", std::ios::binary);
  std::string variable;
  while (std::getline(file, variable, '\0')) {
    for (const std::string_view name : {"OMPI_COMM_WORLD_RANK=", "PMIX_RANK="}) {
      if (variable.starts_with(name)) return number(std::string_view(variable).substr(name.size()));
    }
  }
  return std::nullopt;
}

void adopt_orphans() { check_posix(::prctl(PR_SET_CHILD_SUBREAPER, 1), "prctl"); }

void end_all_children() {
  using std::chrono::steady_clock;
  const auto deadline = steady_clock::now() + std::chrono::seconds(10);
  while (steady_clock::now() < deadline) {
    for (const auto child : children_of(::getpid())) ::kill(child, SIGKILL);
    pid_t reaped = 0;
    while ((reaped = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    if (reaped < 0 && errno == ECHILD) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void expect_executable(const std::string& program, const std::string& what) {
  const auto is_file = [](const fs::path& path) {
    std::error_code error;
    return fs::is_regular_file(path, error);
  };
  const auto expect_permission = [&](const fs::path& path) {
    if (::access(path.c_str(), X_OK) != 0) {
      throw Error(Errc::permission, what + " " + path.string() + " may not be executed");
    }
  };
  if (program.find('/') != std::string::npos) {
    if (!is_file(program)) throw Error(Errc::no_input, what + " " + program + " does not exist");
    return expect_permission(program);
  }
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/usr/bin:/bin" : path);
  std::optional<fs::path> found;
  for (std::string folder; std::getline(folders, folder, ':');) {
    const auto candidate = fs::path(folder.empty() ? "." : folder) / program;
    if (!is_file(candidate)) continue;
    if (::access(candidate.c_str(), X_OK) == 0) return;
    if (!found) found = candidate;
  }
  if (found) return expect_permission(*found);
  const auto hint = is_file(program) ? "; did you mean ./" + program + "?" : std::string();
  throw Error(Errc::no_input, what + " '" + program + "' was not found along PATH" + hint);
}

std::vector<char*> exec_arguments(std::vector<std::string>& words) {
  std::vector<char*> arguments(words.size() + 1, nullptr);
  std::transform(words.begin(), words.end(), arguments.begin(),
                 [](std::string& word) { return word.data(); });
  return arguments;
}

}  // namespace cairn::tool
