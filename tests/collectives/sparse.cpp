// Sparse exchanges, by each route, against twins that every rank computes from (seed, trial, ranks)
// alone.

#include "cairn/collectives/sparse.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/point_to_point.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/random.hpp"
#include "count_limit.hpp"
#include "mpi_test.hpp"

using namespace cairn;

namespace {

enum class Traffic {
  nothing,
  random,       // a few messages to a few ranks, some of them empty, some to the sender
  to_one,       // one rank gets all
  from_one,     // one rank sends all
  to_itself,    // nobody talks to anybody else
  neighbours,   // one to each side
  complete,     // everybody to everybody, some twice
  large_mixed,  // as random, among them messages far above what MPI sends at once
};
constexpr Traffic all_traffic[] = {Traffic::nothing,  Traffic::random,     Traffic::to_one,
                                   Traffic::from_one, Traffic::to_itself,  Traffic::neighbours,
                                   Traffic::complete, Traffic::large_mixed};
constexpr Route all_routes[] = {Route::automatic, Route::dense, Route::direct, Route::grid};

struct Message {
  int source = 0;
  int destination = 0;
  std::vector<std::int64_t> values;
  friend bool operator==(const Message&, const Message&) = default;
};

std::uint64_t stream_of(int rank, std::uint64_t trial) {
  return trial * 1000 + static_cast<std::uint64_t>(rank);
}

/// The destinations of what `rank` sends, in order.
std::vector<int> destinations_of(Traffic traffic, int rank, std::uint64_t trial) {
  const int p = test::world().size();
  const Random random(31, stream_of(rank, trial));
  const auto any = [&](std::uint64_t i) {
    return static_cast<int>(random.below(i, static_cast<std::uint64_t>(p)));
  };
  const int chosen = static_cast<int>(trial) % p;
  std::vector<int> list;
  switch (traffic) {
    case Traffic::nothing:
      break;
    case Traffic::random:
    case Traffic::large_mixed:
      for (std::uint64_t i = 0; i < random.below(1000, 6); ++i) list.push_back(any(i));
      break;
    case Traffic::to_one:
      for (std::uint64_t i = 0; i < 5; ++i) list.push_back(chosen);
      break;
    case Traffic::from_one:
      for (int i = 0; rank == chosen && i < 3 * p; ++i) list.push_back(i % p);
      break;
    case Traffic::to_itself:
      list.assign(3, rank);
      break;
    case Traffic::neighbours:
      list = {(rank + 1) % p, (rank + p - 1) % p};
      break;
    case Traffic::complete:
      for (int i = 0; i < p; ++i) list.push_back((rank + i) % p);
      for (std::uint64_t i = 0; i < 3; ++i) list.push_back(any(i));
      break;
  }
  return list;
}

/// What `rank` sends, in order.
std::vector<Message> sent_by(Traffic traffic, int rank, std::uint64_t trial) {
  const Random random(32, stream_of(rank, trial));
  std::vector<Message> messages;
  for (const int destination : destinations_of(traffic, rank, trial)) {
    const std::uint64_t i = messages.size();
    const bool large = traffic == Traffic::large_mixed && random.below(3 * i, 3) == 0;
    Message message{rank, destination, {}};
    message.values.resize(random.below(3 * i + 1, large ? 30000 : 9));
    const std::uint64_t first = random.bits(3 * i + 2);
    for (std::size_t k = 0; k < message.values.size(); ++k) {
      message.values[k] = static_cast<std::int64_t>(first + k * k);
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

/// What this rank has to get, in order.
std::vector<Message> expected(Traffic traffic, std::uint64_t trial) {
  std::vector<Message> list;
  for (int r = 0; r < test::world().size(); ++r) {
    for (auto& message : sent_by(traffic, r, trial)) {
      if (message.destination == test::world().rank()) list.push_back(std::move(message));
    }
  }
  return list;
}

std::vector<Message> contents(const Inbox<std::int64_t>& in) {
  std::vector<Message> list;
  for (const auto& message : in) {
    list.push_back(
        {message.source, test::world().rank(), {message.data.begin(), message.data.end()}});
  }
  return list;
}

void dawdle(std::uint64_t trial, std::uint64_t most_microseconds) {
  const Random random(33, trial);
  const auto rank = static_cast<std::uint64_t>(test::world().rank());
  if (random.below(rank, 2) == 0) return;
  const auto wait = random.below(rank + 1000, most_microseconds);
  std::this_thread::sleep_for(std::chrono::microseconds(wait));
}

/// One exchange, of spans of the caller's or of an Outbox, and whether it brought what it should.
bool exchange_is_right(Traffic traffic, std::uint64_t trial, const SparseOptions& options,
                       Outbox<std::int64_t>& outbox, Inbox<std::int64_t>& in) {
  const auto& comm = test::world();
  const auto messages = sent_by(traffic, comm.rank(), trial);
  if (trial % 2 == 0) {
    outbox.clear();
    for (const auto& message : messages) outbox.add(message.destination, message.values);
    sparse_exchange(comm, outbox, in, options);
  } else {
    std::vector<Outgoing<std::int64_t>> list;
    for (const auto& message : messages) list.push_back({message.destination, message.values});
    sparse_exchange(comm, std::span<const Outgoing<std::int64_t>>(list), in, options);
  }
  return contents(in) == expected(traffic, trial);
}

}  // namespace

TEST_CASE("sparse exchange: every kind of traffic, by every route") {
  Outbox<std::int64_t> outbox;
  Inbox<std::int64_t> in;
  for (const auto route : all_routes) {
    for (const auto traffic : all_traffic) {
      CAPTURE(route);
      CAPTURE(traffic);
      for (std::uint64_t trial = 0; trial < 6; ++trial) {
        CHECK(exchange_is_right(traffic, trial, {.route = route}, outbox, in));
      }
    }
  }
}

TEST_CASE("sparse exchange: any length may travel by itself") {
  Outbox<std::int64_t> outbox;
  Inbox<std::int64_t> in;
  for (const auto route : all_routes) {
    for (const std::size_t message_bytes : {0, 31, 32, 1 << 20}) {
      for (const auto traffic : {Traffic::random, Traffic::complete, Traffic::large_mixed}) {
        CAPTURE(route);
        CAPTURE(message_bytes);
        CAPTURE(traffic);
        const SparseOptions options{.route = route, .message_bytes = message_bytes};
        CHECK(exchange_is_right(traffic, message_bytes, options, outbox, in));
        CHECK(exchange_is_right(traffic, message_bytes + 1, options, outbox, in));
      }
    }
  }
}

TEST_CASE("sparse exchange: one after the other with ranks that come late") {
  Outbox<std::int64_t> outbox;
  Inbox<std::int64_t> in;
  for (const auto route : {Route::direct, Route::dense, Route::grid}) {
    CAPTURE(route);
    int wrong = 0;
    for (std::uint64_t trial = 0; trial < 50; ++trial) {
      dawdle(trial, 400);
      if (!exchange_is_right(Traffic::random, trial, {.route = route}, outbox, in)) ++wrong;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("sparse exchange: routes that change from call to call") {
  Outbox<std::int64_t> outbox;
  Inbox<std::int64_t> in;
  for (std::uint64_t trial = 0; trial < 30; ++trial) {
    const auto route = all_routes[Random(34).below(trial, 4)];
    const auto traffic = all_traffic[Random(35).below(trial, 8)];
    dawdle(trial, 200);
    CHECK(exchange_is_right(traffic, trial, {.route = route}, outbox, in));
  }
}

TEST_CASE("sparse exchange: more than MPI's int counts") {
  Outbox<std::int64_t> outbox;
  Inbox<std::int64_t> in;
  for (const std::size_t limit : {1, 7, 1000}) {
    const test::CountLimit scope(limit);
    for (const auto route : all_routes) {
      for (const auto traffic : {Traffic::random, Traffic::complete}) {
        CHECK(exchange_is_right(traffic, limit, {.route = route}, outbox, in));
      }
      if (limit == 1000)
        CHECK(exchange_is_right(Traffic::large_mixed, 3, {.route = route}, outbox, in));
    }
  }
}

TEST_CASE("sparse exchange: a destination that is none is an error at the sender") {
  const auto& comm = test::world();
  Inbox<int> in;
  for (const int wrong : {-1, -2, comm.size()}) {
    Outbox<int> out;
    const int value = 3;
    out.add(0, {&value, 1});
    out.add(wrong, {&value, 1});
    CHECK_THROWS_AS(sparse_exchange(comm, out, in), Error);
  }
  barrier(comm);
}

TEST_CASE("sparse exchange: messages that lie in the inbox are an error at the sender") {
  const auto& comm = test::world();
  const std::vector<int> values(100, comm.rank());
  for (const Route route : all_routes) {
    Outbox<int> out;
    Inbox<int> in;
    for (int r = 0; r < comm.size(); ++r) out.add(r, values);
    sparse_exchange(comm, out, in);
    const std::vector<Outgoing<int>> forwarded{{0, values}, {0, in[0].data.last(1)}};
    CHECK_THROWS_WITH_AS(
        sparse_exchange(comm, std::span<const Outgoing<int>>(forwarded), in, {.route = route}),
        doctest::Contains("outside of the inbox"), Error);
    CHECK(in.size() == static_cast<std::size_t>(comm.size()));  // nothing has happened
    const std::vector<Outgoing<int>> empty{{comm.rank(), in[0].data.first(0)}};
    sparse_exchange(comm, std::span<const Outgoing<int>>(empty), in, {.route = route});
    CHECK(in.size() == 1);
  }
}

TEST_CASE("an outbox takes data of its own") {
  const std::vector<int> values(100, 5);
  Outbox<int> out;
  out.add(0, values);
  for (int i = 0; i < 20; ++i) out.add(1, out[out.size() - 1].data);
  for (std::size_t i = 0; i < out.size(); ++i) {
    CHECK(std::vector<int>(out[i].data.begin(), out[i].data.end()) == values);
  }
}

TEST_CASE("an outbox and an inbox that were moved from are empty, and used again") {
  const auto& comm = test::world();
  const std::vector<int> values(100, 3);
  const auto first = std::make_unique<Outbox<int>>();  // which clang-tidy does not follow
  first->add(comm.rank(), values);
  Outbox<int> second = std::move(*first);
  CHECK(first->size() == 0);
  first->add(comm.rank(), std::span(values).first(2));
  first->add(comm.rank(), std::span(values).first(1));

  const auto sizes_of = [](const Inbox<int>& in) {
    std::vector<std::size_t> sizes;
    for (const auto& message : in) sizes.push_back(message.data.size());
    return sizes;
  };
  const auto in = std::make_unique<Inbox<int>>();
  sparse_exchange(comm, second, *in);
  Inbox<int> other = std::move(*in);
  CHECK(in->empty());
  sparse_exchange(comm, *first, *in);
  CHECK(sizes_of(*in) == std::vector<std::size_t>{2, 1});
  CHECK(sizes_of(other) == std::vector<std::size_t>{100});

  second = std::move(*first);
  first->add(comm.rank(), values);
  CHECK(first->size() == 1);
  CHECK(second.size() == 2);
}

TEST_CASE("sparse exchange: a user's receive from any source sees none of it") {
  const auto& comm = test::world();
  int seen = -1;
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Irecv(&seen, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, comm.native(), &request);
  Outbox<std::int64_t> outbox;
  Inbox<std::int64_t> in;
  for (const auto route : all_routes) {
    CHECK(exchange_is_right(Traffic::complete, 1, {.route = route}, outbox, in));
  }
  const int sent = comm.rank() + 77;
  send(comm, std::span<const int>(&sent, 1), comm.rank(), 3);
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  CHECK(seen == sent);
}

TEST_CASE("the rule of the routes") {
  const std::size_t m = 8192;
  // Few ranks: a message to each of them.
  CHECK(choose_route(2, {10, 80}, m) == Route::dense);
  CHECK(choose_route(8, {100, 1 << 20}, m) == Route::dense);
  // Many ranks and few messages, small or large.
  CHECK(choose_route(1024, {4, 32}, m) == Route::direct);
  CHECK(choose_route(1024, {4, std::uint64_t{1} << 30}, m) == Route::direct);
  CHECK(choose_route(1024, {0, 0}, m) == Route::direct);
  // Many ranks and many small messages.
  CHECK(choose_route(1024, {1000, 8000}, m) == Route::grid);
  // Many ranks and many large messages: travelling twice costs more than a message to each.
  CHECK(choose_route(1024, {1024, std::uint64_t{1} << 30}, m) == Route::dense);
  // Where a message costs nothing, bytes travel once.
  CHECK(choose_route(1024, {1000, 8000}, 0) == Route::dense);
}
