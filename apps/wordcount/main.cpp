// cairn-wordcount: how often each word occurs in files, on all ranks.

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/atomic_file.hpp"
#include "cairn/core/file.hpp"
#include "cairn/mapreduce/tsv_writer.hpp"
#include "cairn/mapreduce/word_count.hpp"
#include "cairn/program/places.hpp"
#include "cairn/program/program.hpp"
#include "cairn/program/progress.hpp"
#include "result.hpp"

using namespace cairn;
using namespace wordcount;

namespace {

struct Settings {
  std::vector<std::string> inputs;
  std::filesystem::path output;  // empty: none, "-": stdout
  std::filesystem::path result;
  std::string compressed = "include";
  std::uint64_t top = 10;

  [[nodiscard]] bool output_is_stdout() const { return output == "-"; }
  [[nodiscard]] bool wants_everything() const { return !output.empty() || !result.empty(); }
};

/// An Error that every rank throws alike, because all have the same options.
[[noreturn]] void throw_usage(const std::string& message) {
  Error error(Errc::usage, message);
  error.mark_agreed();
  throw error;
}

mapreduce::InputOptions input_options(const Settings& settings) {
  using Compressed = mapreduce::InputOptions::Compressed;
  if (settings.inputs.empty())
    throw_usage("no INPUT; name files or folders, for example: cairn-wordcount /usr/share/doc");
  if (settings.compressed == "include") return {Compressed::include};
  if (settings.compressed == "skip") return {Compressed::skip};
  throw_usage("--compressed is include or skip, not '" + settings.compressed + "'");
}

/// `work` on rank 0; if it throws, all ranks do, with its text as it is.
template <typename Work>
void on_root(const Communicator& comm, Work&& work) {
  together(comm, [&] {
    if (!comm.is_root()) return;
    try {
      work();
    } catch (Error& error) {
      error.mark_agreed();  // together() makes it true
      throw;
    }
  });
}

void write_to_stdout(std::string_view text) {
  write_fully(STDOUT_FILENO, std::as_bytes(std::span(text)), "standard output");
}

/// Each output is a file of its own, and none of the inputs, which a folder among them may contain.
void check_outputs(const program::Context& context, const Settings& settings,
                   const mapreduce::InputList& list) {
  std::vector<std::filesystem::path> inputs;
  if (context.world.is_root()) {
    for (const auto* files : {&list.plain, &list.gzip}) {
      for (const auto& file : *files) inputs.emplace_back(file.path);
    }
  }
  program::check_places(
      context, {settings.output_is_stdout() ? "" : settings.output, settings.result}, inputs);
}

/// The files that rank 0 writes. They are opened before the work begins, so that a folder that
/// cannot be written shows at once; they appear under their names when they are complete.
class Outputs {
 public:
  Outputs(const Communicator& comm, const Settings& settings)
      : to_stdout_(settings.output_is_stdout()) {
    on_root(comm, [&] {
      if (!settings.output.empty() && !to_stdout_) table_.emplace(settings.output);
      if (!settings.result.empty()) result_.emplace(settings.result);
    });
  }

  void write_table(std::string_view bytes) {
    if (to_stdout_) write_to_stdout(bytes);
    if (table_) table_->write(bytes);
  }

  void commit_table() {
    if (table_) table_->commit();
  }

  void commit_result(const std::string& json) {
    if (!result_) return;
    result_->write(json);
    result_->commit();
  }

 private:
  bool to_stdout_;
  std::optional<AtomicFile> table_;
  std::optional<AtomicFile> result_;
};

std::string plural(std::uint64_t n, const std::string& noun) {
  return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}

std::string describe(const mapreduce::InputList& list) {
  std::string text = plural(list.plain.size(), "plain file") + " (" +
                     plural(list.plain_bytes(), "byte") + "), " + std::to_string(list.gzip.size()) +
                     " gz (" + plural(list.gzip_bytes(), "byte") + " packed), " +
                     std::to_string(list.skipped_files()) + " skipped";
  const char* separator = " (";
  for (const auto& [kind, files] : list.skipped) {
    text += separator + std::to_string(files) + " " + kind;
    separator = ", ";
  }
  if (!list.skipped.empty()) text += ")";
  return text + ", " + plural(list.symlinks, "symbolic link") + " not followed";
}

/// Map and shuffle: afterwards each token stands on one rank, with its final count.
mapreduce::CountTable count(program::Context& context, const mapreduce::InputList& list,
                            mapreduce::ReadStatistics& read) {
  program::Progress progress(context, "counting", list.plain_bytes() + list.gzip_bytes());
  mapreduce::CountOptions options;
  options.progress = [&](std::uint64_t done) { progress.update(done); };
  auto table = mapreduce::count_tokens(context.world, list, read, options);
  progress.finish();
  return mapreduce::shuffle(context.world, std::move(table));
}

/// Fills result.top and result.digest on rank 0, and writes the table there.
void write_counts(const Communicator& comm, const mapreduce::SortedCounts& part,
                  const Settings& settings, Outputs& outputs, Result& result) {
  if (!settings.wants_everything() && settings.top == 0) return;
  mapreduce::TsvWriter table([&](std::string_view bytes) { outputs.write_table(bytes); });
  mapreduce::merge_sorted(comm, part, [&](const mapreduce::TokenCount& record) {
    if (result.top.size() < settings.top)
      result.top.push_back({std::string(record.token), record.count});
    if (!settings.wants_everything()) return result.top.size() < settings.top;
    table.add(record);
    return true;
  });
  on_root(comm, [&] {
    result.digest = table.finish();
    outputs.commit_table();
  });
}

/// The most frequent tokens on stdout, as they stand in the table; unless the table is there
/// anyway.
void print_top(const Communicator& comm, const Settings& settings, const Result& result) {
  on_root(comm, [&] {
    if (settings.output_is_stdout()) return;
    std::string lines;
    for (const TopToken& t : result.top) mapreduce::append_line(lines, {t.token, t.count});
    write_to_stdout(lines);
  });
}

std::string summary(const Result& result) {
  std::string seconds = std::to_string(result.seconds);
  seconds.resize(seconds.find('.') + 3);
  return plural(result.tokens, "token") + ", " + std::to_string(result.distinct) +
         " distinct, in " + plural(result.text_bytes, "byte") + " of text; " + seconds + " s on " +
         plural(static_cast<std::uint64_t>(result.ranks), "rank");
}

int count_words(program::Context& context, const Settings& settings) {
  const auto start = std::chrono::steady_clock::now();
  const Communicator& comm = context.world;
  const auto list = mapreduce::list_inputs(comm, settings.inputs, input_options(settings));
  context.log.info(describe(list));
  check_outputs(context, settings, list);
  Outputs outputs(comm, settings);

  mapreduce::ReadStatistics read;
  auto table = count(context, list, read);
  Result result;
  result.tokens = all_reduce(comm, table.tokens());
  result.distinct = all_reduce(comm, table.distinct());
  result.text_bytes = read.text_bytes;
  result.ranks = comm.size();
  result.threads = context.threads;
  const auto part = together(comm, [&] { return mapreduce::SortedCounts(std::move(table)); });
  write_counts(comm, part, settings, outputs, result);

  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  on_root(comm, [&] { outputs.commit_result(to_json(result, list)); });
  print_top(comm, settings, result);
  context.log.info(summary(result));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  program::Options options("cairn-wordcount",
                           "counts how often each word occurs in files and folders", "INPUT…");
  options.positional("inputs", settings.inputs, "files, and folders with all that is in them");
  options.add("output", settings.output,
              "write all words as token<TAB>count lines, the most frequent first; - is stdout");
  options.add("top", settings.top, "how many of the most frequent words to print; 0 is none");
  options.add("result", settings.result, "write totals, digest and top words as JSON");
  options.add("compressed", settings.compressed,
              "gzip files: include (count their text) or skip; other formats are skipped");
  options.example("mpirun -n 2 cairn-wordcount /usr/share/doc --output counts.tsv");
  return program::run(argc, argv, options,
                      [&](program::Context& context) { return count_words(context, settings); });
}
