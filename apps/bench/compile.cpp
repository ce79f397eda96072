// What the headers cost the compiler: a file with one call of ours against the same file written
// with MPI, whose C++ bindings are skipped. Both hold their data in a std::vector, as most codes
// do. CPU time of the compiler and all that it starts, by the compiler and the flags that built
// this program; only rank 0 compiles.

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "benchmark.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/core/error.hpp"

namespace cairn::bench {

namespace {

namespace fs = std::filesystem;

constexpr double target = 2.0;
constexpr int pairs = 9;

struct Case {
  const char* name;
  const char* ours;
  const char* baseline;
};

constexpr std::array cases{
    Case{"bcast", R"(#include <vector>
#include "cairn/collectives/collective.hpp"
void call(std::vector<double>& data, const cairn::Communicator& comm) {
  cairn::bcast(comm, data);
}
)",
         R"(#include <mpi.h>
#include <vector>
void call(std::vector<double>& data, MPI_Comm comm) {
  MPI_Bcast(data.data(), static_cast<int>(data.size()), MPI_DOUBLE, 0, comm);
}
)"},
    Case{"all_reduce", R"(#include <vector>
#include "cairn/collectives/collective.hpp"
void call(std::vector<double>& data, const cairn::Communicator& comm) {
  cairn::all_reduce(comm, data, cairn::Sum{});
}
)",
         R"(#include <mpi.h>
#include <vector>
void call(std::vector<double>& data, MPI_Comm comm) {
  MPI_Allreduce(MPI_IN_PLACE, data.data(), static_cast<int>(data.size()), MPI_DOUBLE, MPI_SUM,
                comm);
}
)"},
    Case{"async", R"(#include <vector>
#include "cairn/collectives/async.hpp"
#include "cairn/collectives/collective.hpp"
void call(std::vector<double>& data, const cairn::Communicator& comm) {
  auto sum = cairn::all_reduce(cairn::async(comm), data, cairn::Sum{});
  sum.wait();
}
)",
         R"(#include <mpi.h>
#include <vector>
void call(std::vector<double>& data, MPI_Comm comm) {
  MPI_Request request;
  MPI_Iallreduce(MPI_IN_PLACE, data.data(), static_cast<int>(data.size()), MPI_DOUBLE, MPI_SUM,
                 comm, &request);
  MPI_Wait(&request, MPI_STATUS_IGNORE);
}
)"},
    Case{"all_gather_v", R"(#include <vector>
#include "cairn/collectives/unknown_counts.hpp"
void call(const std::vector<double>& part, cairn::Parts<double>& all,
          const cairn::Communicator& comm) {
  cairn::all_gather_v(comm, part, all);
}
)",
         R"(#include <mpi.h>
#include <numeric>
#include <vector>
void call(const std::vector<double>& part, std::vector<double>& all, std::vector<int>& counts,
          std::vector<int>& displacements, MPI_Comm comm) {
  const int n = static_cast<int>(part.size());
  MPI_Allgather(&n, 1, MPI_INT, counts.data(), 1, MPI_INT, comm);
  std::exclusive_scan(counts.begin(), counts.end(), displacements.begin(), 0);
  all.resize(static_cast<std::size_t>(displacements.back() + counts.back()));
  MPI_Allgatherv(part.data(), n, MPI_DOUBLE, all.data(), counts.data(), displacements.data(),
                 MPI_DOUBLE, comm);
}
)"},
};

/// A folder of its own, removed with what is in it.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "cairn-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw Error(Errc::unavailable,
                  "no temporary folder " + name + ": " + std::strerror(errno) + "; set TMPDIR");
    }
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  /// Writes a source file and returns its path.
  [[nodiscard]] std::string add(const std::string& name, const char* text) const {
    const auto path = path_ / name;
    std::ofstream(path) << text;
    return path.string();
  }
  [[nodiscard]] std::string object() const { return (path_ / "object.o").string(); }

 private:
  fs::path path_;
};

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

/// Runs a command and returns the CPU seconds that it and its children took.
double cpu_seconds(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int failure =
      ::posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environ);
  if (failure != 0) {
    throw Error(Errc::unavailable, command[0] + ": " + std::strerror(failure) +
                                       "; this benchmark wants the compiler of this build");
  }
  int status = 0;
  rusage usage{};
  while (::wait4(child, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw Error(Errc::unavailable, command[0] + " could not compile " + command.back() +
                                       "; this benchmark wants the sources of this build");
  }
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> words;
  std::istringstream stream(list);
  for (std::string word; std::getline(stream, word, '|');) {
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

/// The compiler with -O2, this build's include folders and definitions, and one source.
std::vector<std::string> command(const Folder& folder, const std::string& source) {
  std::vector<std::string> words{CAIRN_BENCH_COMPILER, "-std=c++20", "-O2"};
  for (const auto& definition : split(CAIRN_BENCH_DEFINITIONS)) words.push_back("-D" + definition);
  for (const auto& include : split(CAIRN_BENCH_INCLUDES)) words.push_back("-I" + include);
  words.insert(words.end(), {"-c", "-o", folder.object(), source});
  return words;
}

/// Medians of pairs in turns: what one file costs against the other.
Seconds compare_files(const Case& one) {
  const Folder folder;
  const auto ours = command(folder, folder.add(std::string("ours_") + one.name + ".cpp", one.ours));
  const auto baseline =
      command(folder, folder.add(std::string("mpi_") + one.name + ".cpp", one.baseline));
  cpu_seconds(ours);  // reads the headers into the page cache
  cpu_seconds(baseline);
  std::vector<double> our_times;
  std::vector<double> baseline_times;
  for (int i = 0; i < pairs; ++i) {
    our_times.push_back(cpu_seconds(ours));
    baseline_times.push_back(cpu_seconds(baseline));
  }
  return {median(our_times), median(baseline_times)};
}

std::vector<Row> measure(Context& context) {
  std::vector<Row> rows;
  for (const auto& one : cases) {
    Row row;
    row.name = std::string("compile.") + one.name;
    row.parameters = {{"compiler", fs::path(CAIRN_BENCH_COMPILER).filename().string()}};
    const auto& world = context.world;
    const auto seconds =
        together(world, [&] { return world.is_root() ? compare_files(one) : Seconds{}; });
    std::array both{seconds.ours, seconds.baseline};
    bcast(world, both);
    row.seconds = {both[0], both[1]};
    row.target = target;
    rows.push_back(std::move(row));
  }
  return rows;
}

const Benchmark registered{"compile", "CPU time of the compiler for a file with one call", measure};

}  // namespace

}  // namespace cairn::bench
