// A durable epoch against raw write + fsync of the same bytes, one file per rank. Both begin with
// an untimed warm-up of the same size, since fresh page cache is slow on virtual machines.

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "benchmark.hpp"
#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/file.hpp"

namespace cairn::bench {

namespace {

namespace fs = std::filesystem;

/// A directory that all ranks see, on the disk of the current directory; removed at the end.
class Scratch {
 public:
  explicit Scratch(const Communicator& comm) : comm_(comm) {
    std::string name = "cairn-bench-XXXXXX";
    together(comm, [&] {
      if (comm.is_root() && ::mkdtemp(name.data()) == nullptr) throw_errno(errno, "create " + name);
    });
    bcast(comm, into(name));
    path = fs::absolute(name);
  }
  ~Scratch() {
    std::error_code ignored;
    if (comm_.is_root()) fs::remove_all(path, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  fs::path path;

 private:
  const Communicator& comm_;
};

void write_raw(const fs::path& path, std::span<const double> data) {
  File file(path, O_WRONLY | O_CREAT | O_TRUNC);
  file.write(std::as_bytes(data));
  file.sync();
  file.close();
}

Row measure_size(Context& context, std::size_t mebibytes) {
  const auto& comm = context.world;
  const Scratch scratch(comm);
  const std::size_t n = (mebibytes << 20) / sizeof(double);
  const auto rank = static_cast<std::size_t>(comm.rank());
  std::vector<double> u(n);
  for (std::size_t i = 0; i < n; ++i) u[i] = static_cast<double>(rank * n + i);

  ckpt::Checkpointer ckpt(comm, {.directory = scratch.path / "ckpt"});
  ckpt.field("u", u, {{n * static_cast<std::size_t>(comm.size())}, {rank * n}, {n}});
  std::uint64_t step = 0;
  const auto raw_file = scratch.path / ("raw." + std::to_string(rank));
  const auto save = [&] { ckpt.save(++step); };
  const auto raw = [&] {
    write_raw(raw_file, u);
    barrier(comm);  // durable on all ranks, as an epoch is when save() returns
  };
  for (int warm_up = 0; warm_up < 3; ++warm_up) {
    save();
    raw();
  }
  return {"durable epoch",
          {{"MiB a rank", static_cast<std::int64_t>(mebibytes)}},
          compare(context, save, raw),
          1.5};
}

std::vector<Row> measure(Context& context) {
  return {measure_size(context, 8), measure_size(context, 64), measure_size(context, 256)};
}

const Benchmark ckpt_benchmark{"ckpt", "a durable epoch against write + fsync of one file per rank",
                               measure};

}  // namespace

}  // namespace cairn::bench
