#include "cairn/mapreduce/word_count.hpp"

#include <csignal>

#include "cairn/collectives/signals.hpp"
#include "cairn/core/error.hpp"
#include "shared_scratch.hpp"
#include "text.hpp"

using namespace cairn;
using namespace cairn::mapreduce;

namespace {

/// All counts, on rank 0.
test::Counts count(const std::vector<std::string>& inputs, std::size_t buffer_bytes) {
  const auto& comm = test::world();
  ReadStatistics read;
  CountOptions options;
  options.read.buffer_bytes = buffer_bytes;
  const InputList list = list_inputs(comm, inputs);
  const SortedCounts part(shuffle(comm, count_tokens(comm, list, read, options)));
  CHECK(read.text_bytes == list.plain_bytes());
  test::Counts counts;
  merge_sorted(comm, part, [&](const TokenCount& record) {
    CHECK(counts.emplace(record.token, record.count).second);
    return true;
  });
  return counts;
}

void check(const std::vector<std::string>& texts) {
  const test::SharedScratch scratch;
  test::Counts expected;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    scratch.file("in/" + std::to_string(i), texts[i]);
    if (test::world().is_root()) test::count_into(expected, texts[i]);
  }
  for (const std::size_t buffer : {1, 2, 3, 1 << 20})
    CHECK(count({scratch.path()}, buffer) == expected);
}

Error error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    CHECK(error.agreed());
    return error;
  }
  return Error(Errc::internal, "no error");
}

}  // namespace

TEST_CASE("every count is that of the slow obvious way") {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    std::vector<std::string> texts;
    for (std::uint64_t i = 0; i < 1 + seed; ++i)
      texts.push_back(test::random_text(seed * 10 + i, 37 * i * seed + seed, 1 + seed));
    check(texts);
  }
}

TEST_CASE("tokens over many splits, empty files, white space alone, no final newline") {
  check({std::string(1000, 'x')});
  check({"a " + std::string(500, 'y') + " b", "c"});
  check({"", "", "a", ""});
  check({" \n", "\t\t\t\t\t"});
  check({""});
  check({"one", "one"});
}

TEST_CASE("a file that goes away between listing and reading is one agreed error") {
  const auto& comm = test::world();
  const test::SharedScratch scratch;
  scratch.file("in/a", std::string(1000, 'a'));
  scratch.file("in/z", "last words");
  const InputList list = list_inputs(comm, std::vector<std::string>{scratch / "in"});
  barrier(comm);
  if (comm.is_root()) std::filesystem::remove(scratch / "in/z");
  barrier(comm);
  const Error error = error_of([&] {
    ReadStatistics read;
    (void)count_tokens(comm, list, read);
  });
  CHECK(error.code() == Errc::no_input);
  CHECK(std::string(error.what()).find(scratch / "in/z") != std::string::npos);
}

TEST_CASE("a request to stop at one rank stops the counting on all") {
  const auto& comm = test::world();
  const test::SharedScratch scratch;
  scratch.file("in", "some words");
  const InputList list = list_inputs(comm, std::vector<std::string>{scratch / "in"});
  for (const int signal : {SIGTERM, SIGINT}) {
    if (comm.rank() == comm.size() - 1) request_stop(signal);
    const Error error = error_of([&] {
      ReadStatistics read;
      (void)count_tokens(comm, list, read);
    });
    CHECK(error.exit_code() == stop_exit_code(signal));
    request_stop(0);
  }
}
