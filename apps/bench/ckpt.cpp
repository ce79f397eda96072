// A durable epoch against raw write + fsync of the same bytes, one new file per rank; the first
// epoch of a directory against the same; and a verified restart against reading such files. All
// begin with an untimed warm-up of the same size, since fresh page cache is slow on virtual
// machines.

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "benchmark.hpp"
#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/file.hpp"
#include "smooth.hpp"

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

void read_raw(const fs::path& path, std::vector<double>& data) {
  const File file(path, O_RDONLY);
  file.read_at(std::as_writable_bytes(std::span(data)), 0);
}

/// Takes the file's pages out of the cache of the system, as long as others do not use them.
void forget(const fs::path& path) {
  const File file(path, O_RDONLY);
  ::posix_fadvise(file.descriptor(), 0, 0, POSIX_FADV_DONTNEED);
}

/// One size: a field of `mebibytes` on each rank, and what is measured of it.
class Epochs {
 public:
  Epochs(Context& context, std::size_t mebibytes)
      : context_(context),
        scratch_(context.world),
        mebibytes_(mebibytes),
        n_((mebibytes << 20) / sizeof(double)),
        u_(n_),
        raw_file_(scratch_.path / ("raw." + std::to_string(comm().rank()))) {
    for (std::size_t i = 0; i < n_; ++i) u_[i] = static_cast<double>(rank() * n_ + i);
  }

  /// Epochs one after the other, as a long run makes them.
  Row steady() {
    auto ckpt = checkpointer("ckpt", {rank() * n_}, u_);
    std::uint64_t step = 0;
    const auto save = [&] { ckpt.save(++step); };
    const auto raw = [&] { write_and_wait(); };
    for (int warm_up = 0; warm_up < 4; ++warm_up) {
      save();
      raw();
    }
    return row("ckpt.epoch", compare(context_, save, raw), 0.75);
  }

  /// Compressed epochs of a smooth field; and a restart from them.
  std::vector<Row> compressed() {
    for (std::size_t i = 0; i < n_; ++i) u_[i] = smooth(rank() * n_ + i);
    auto ckpt = checkpointer("compressed", {rank() * n_}, u_,
                             {.compression = ckpt::Compression::shuffle_zstd});
    std::uint64_t step = 0;
    const auto save = [&] { ckpt.save(++step); };
    const auto restore = [&] { (void)ckpt.restore(); };
    const auto write = [&] { write_and_wait(); };
    const auto read = [&] {
      read_raw(raw_file_, u_);
      barrier(comm());
    };
    for (int warm_up = 0; warm_up < 4; ++warm_up) {
      save();
      write();
    }
    const Parameters parameters{{"MiB_a_rank", static_cast<std::int64_t>(mebibytes_)}};
    Row epoch{"ckpt.compressed_epoch", parameters, compare(context_, save, write), std::nullopt};
    Row restart{"ckpt.compressed_restart", parameters, compare(context_, restore, read),
                std::nullopt};
    return {epoch, restart};
  }

  /// Encrypted epochs, and epochs of which a tenth of the pieces changes, against ordinary ones.
  std::vector<Row> other_epochs() {
    const fs::path key = scratch_.path / "key";
    together(comm(), [&] {
      if (!comm().is_root()) return;
      File file(key, O_WRONLY | O_CREAT | O_TRUNC, 0600);
      file.write(std::as_bytes(std::span(std::string_view("0123456789abcdef0123456789abcdef"))));
      file.close();
    });
    return {against_ordinary("ckpt.encrypted_epoch", {.key_file = key}),
            against_ordinary("ckpt.epoch_of_changes", {.pieces = ckpt::Options::Pieces::changed})};
  }

  /// Epochs in the node's memory, with nothing sent to other nodes.
  Row local() {
    const fs::path memory = fs::path("/dev/shm") / scratch_.path.filename();
    Seconds seconds{};
    {
      ckpt::Checkpointer ckpt(comm(), {.directory = scratch_.path / "local",
                                       .local = {.directory = memory,
                                                 .every = 1,
                                                 .redundancy = ckpt::Redundancy::none(),
                                                 .keep = 1}});
      ckpt.field("u", u_, {{n_ * static_cast<std::size_t>(comm().size())}, {rank() * n_}, {n_}});
      std::uint64_t step = 0;
      const auto save = [&] { ckpt.save(++step); };
      const auto raw = [&] { write_and_wait(); };
      save();
      raw();
      seconds = compare(context_, save, raw);
    }
    barrier(comm());
    std::error_code ignored;
    if (comm().is_root()) fs::remove_all(memory, ignored);
    return {"ckpt.local_epoch",
            {{"MiB_a_rank", static_cast<std::int64_t>(mebibytes_)}},
            seconds,
            std::nullopt};
  }

  /// The first epoch of a directory, to make which is part of it; to remove it is not.
  Row first() {
    int made = 0;
    int removed = 0;
    const auto name = [](int number) { return "first-" + std::to_string(number); };
    const auto save = [&] { checkpointer(name(made++), {rank() * n_}, u_).save(1); };
    const auto raw = [&] { write_and_wait(); };
    const auto remove = [&] {
      fs::remove(raw_file_);
      barrier(comm());
      for (; removed < made; ++removed)
        if (comm().is_root()) fs::remove_all(scratch_.path / name(removed));
    };
    save();
    raw();
    return row("ckpt.first_epoch", compare(context_, save, raw, remove), 1.15);
  }

  /// Where the bytes are that a restart reads: still in memory, as after a kill; or on the disk, as
  /// after a crash or on another machine.
  enum class Cache { warm, cold };

  /// A restart after steady(), with the same cut, or with one of which each rank has another part.
  Row restart(const char* name, std::size_t shift, Cache cache, double target) {
    const std::size_t p = static_cast<std::size_t>(comm().size());
    const std::size_t first = rank() == 0 ? 0 : rank() * n_ - shift;
    const std::size_t last = rank() + 1 == p ? p * n_ : (rank() + 1) * n_ - shift;
    std::vector<double> v(last - first);
    auto ckpt = checkpointer("ckpt", {first}, v);
    const auto restore = [&] {
      (void)ckpt.restore();
      if (cache == Cache::cold && comm().is_root()) {
        for (const auto& entry : fs::directory_iterator(scratch_.path / "ckpt"))
          if (entry.path().extension() == ".h5") forget(entry.path());
      }
    };
    const auto read = [&] {
      read_raw(raw_file_, u_);
      if (cache == Cache::cold) forget(raw_file_);
      barrier(comm());
    };
    write_and_wait();
    restore();
    read();
    return row(name, compare(context_, restore, read), target);
  }

  /// How long save() keeps the program in mode async, against one memcpy of the data; and a loop
  /// that computes while the epoch is written, against the same loop alone.
  std::vector<Row> background() {
    auto ckpt = checkpointer("async", {rank() * n_}, u_, {.mode = ckpt::Options::Mode::async});
    std::vector<double> copy(n_);
    std::vector<Seconds> blocked;
    std::vector<Seconds> slowed;
    for (std::uint64_t step = 1; step <= background_epochs + 4; ++step) {
      const double memcpy_alone =
          time([&] { std::memcpy(copy.data(), u_.data(), n_ * sizeof(double)); });
      const double loop_alone = time([&] { compute(); });
      const double save = time([&] { ckpt.save(step); });
      const double loop = time([&] { compute(); });
      ckpt.wait();
      if (step <= 4) continue;  // the first ones are written to new files, from new memory
      blocked.push_back({save, memcpy_alone});
      slowed.push_back({loop, loop_alone});
    }
    return {row("ckpt.async_save", medians(blocked), 1.3),
            row("ckpt.async_compute", medians(slowed), 1.05)};
  }

 private:
  static constexpr std::uint64_t background_epochs = 9;
  static constexpr std::size_t piece = (1 << 20) / sizeof(double);

  Row against_ordinary(const char* name, ckpt::Options options) {
    auto ours = checkpointer(name, {rank() * n_}, u_, std::move(options));
    auto ordinary = checkpointer("ordinary", {rank() * n_}, u_);
    std::uint64_t step = 0;
    const auto save_with = [&](ckpt::Checkpointer& ckpt) {
      for (std::size_t i = 0; i < n_; i += 10 * piece) u_[i] += 1;  // the same tenth each time
      ckpt.save(++step);
    };
    const auto save = [&] { save_with(ours); };
    const auto save_ordinary = [&] { save_with(ordinary); };
    for (int warm_up = 0; warm_up < 4; ++warm_up) {
      save();
      save_ordinary();
    }
    return {name,
            {{"MiB_a_rank", static_cast<std::int64_t>(mebibytes_)}},
            compare(context_, save, save_ordinary),
            std::nullopt};
  }

  /// Some tenths of a second in the registers, so that the writer competes for the core alone.
  static void compute() {
    volatile double start = 0.5;  // or the compiler computes it
    double value = start;
    for (int i = 0; i < 100'000'000; ++i) value = value * 0.999999 + 1e-6;
    use(value);
  }

  template <typename Work>
  double time(Work&& work) {
    const auto nothing = [] {};
    return detail::time_batch(comm(), work, 1, nothing);
  }

  static Seconds medians(const std::vector<Seconds>& all) {
    std::vector<double> ratios;
    std::vector<double> baselines;
    for (const auto& one : all) {
      ratios.push_back(one.ours / one.baseline);
      baselines.push_back(one.baseline);
    }
    const double baseline = median(baselines);
    return {median(ratios) * baseline, baseline};
  }

  [[nodiscard]] const Communicator& comm() const { return context_.world; }
  [[nodiscard]] std::size_t rank() const { return static_cast<std::size_t>(comm().rank()); }

  ckpt::Checkpointer checkpointer(const std::string& name, ckpt::Shape offset,
                                  std::vector<double>& data, ckpt::Options options = {}) {
    options.directory = scratch_.path / name;
    ckpt::Checkpointer ckpt(comm(), std::move(options));
    ckpt.field("u", data,
               {{n_ * static_cast<std::size_t>(comm().size())}, std::move(offset), {data.size()}});
    return ckpt;
  }

  void write_and_wait() {
    write_raw(raw_file_, u_);
    barrier(comm());  // durable on all ranks, as an epoch is when save() returns
  }

  [[nodiscard]] Row row(const char* name, Seconds seconds, double target) const {
    // Small epochs are all renames and fsyncs of the directory.
    const auto wanted = mebibytes_ >= 512 ? std::optional(target) : std::nullopt;
    return {name, {{"MiB_a_rank", static_cast<std::int64_t>(mebibytes_)}}, seconds, wanted};
  }

  Context& context_;
  const Scratch scratch_;
  std::size_t mebibytes_;
  std::size_t n_;
  std::vector<double> u_;
  fs::path raw_file_;
};

std::vector<Row> measure(Context& context) {
  std::vector<Row> rows;
  for (const std::size_t mebibytes : {8, 64, 512}) {
    Epochs epochs(context, mebibytes);
    rows.push_back(epochs.steady());
    rows.push_back(epochs.first());
    if (mebibytes <= 64) rows.push_back(epochs.local());  // not more of anybody's memory
    for (auto& row : epochs.compressed()) rows.push_back(std::move(row));
    for (auto& row : epochs.other_epochs()) rows.push_back(std::move(row));
    const std::size_t third = (mebibytes << 20) / sizeof(double) / 3;
    using Cache = Epochs::Cache;
    rows.push_back(epochs.restart("ckpt.restart", 0, Cache::warm, 1 / 0.8));
    rows.push_back(epochs.restart("ckpt.restart_other_cut", third, Cache::warm, 1 / 0.6));
    rows.push_back(epochs.restart("ckpt.cold_restart", 0, Cache::cold, 1 / 0.8));
    rows.push_back(epochs.restart("ckpt.cold_restart_other_cut", third, Cache::cold, 1 / 0.6));
    for (auto& row : epochs.background()) rows.push_back(std::move(row));
  }
  return rows;
}

const Benchmark ckpt_benchmark{
    "ckpt", "epochs against write + fsync of files, restarts against reading them", measure};

}  // namespace

}  // namespace cairn::bench
