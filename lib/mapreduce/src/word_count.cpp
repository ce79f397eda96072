#include "cairn/mapreduce/word_count.hpp"

#include <array>
#include <optional>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/signals.hpp"
#include "cairn/mapreduce/stop.hpp"
#include "cairn/mapreduce/tokenizer.hpp"
#include "cairn/trace/trace.hpp"

namespace cairn::mapreduce {

namespace {

/// Reads this rank's share into `tokens`, as long as `keep_reading` says.
void read_share(const Communicator& comm, const InputList& list, const ReadOptions& options,
                Tokenizer& tokens, ReadStatistics& statistics, const KeepReading& keep_reading) {
  const ByteRange split = equal_part(list.plain_bytes(), comm.rank(), comm.size());
  for (const FilePart& part : file_parts(list.plain, split))
    if (!read_part(list.plain[part.file], part.bytes, options, tokens, statistics, keep_reading))
      return;
  const auto mine = deal_files(list.gzip, comm.size())[static_cast<std::size_t>(comm.rank())];
  for (const std::size_t file : mine)
    if (!read_gzip(list.gzip[file], options, tokens, statistics, keep_reading)) return;
}

ReadStatistics sum(const Communicator& comm, const ReadStatistics& mine) {
  std::array<std::uint64_t, 2> bytes{mine.text_bytes, mine.file_bytes};
  all_reduce(comm, std::span<std::uint64_t>(bytes));
  return {bytes[0], bytes[1]};
}

}  // namespace

CountTable count_tokens(const Communicator& comm, const InputList& list,
                        ReadStatistics& read_by_all, const CountOptions& options) {
  const trace::Span span("mapreduce.map");
  std::optional<CountTable> table;
  ReadStatistics mine;
  Pulse pulse(comm, options.progress);
  const std::optional<Error> error = detail::error_of([&] {
    table.emplace();
    Tokenizer tokens([&](std::span<const std::string_view> batch) { table->add(batch); });
    read_share(comm, list, options.read, tokens, mine,
               [&](std::uint64_t bytes) { return pulse.beat(bytes); });
  });
  if (error) table.reset();  // what filled the memory goes before the news goes round
  pulse.finish(error ? Pulse::Outcome::failed : Pulse::Outcome::done);
  agree(comm, error);
  if (const int signal = agreed_stop_signal(comm); signal != 0)
    throw_stopped(comm, signal, "counting");
  read_by_all = sum(comm, mine);
  return *std::move(table);
}

}  // namespace cairn::mapreduce
