#include "cairn/loadbalance/migrate.hpp"

#include <mpi.h>

#include <array>
#include <string>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/error.hpp"

namespace cairn::loadbalance::detail {

namespace {

void expect_destinations(std::span<const int> destinations, std::size_t objects, int ranks) {
  if (destinations.size() != objects)
    throw Error(Errc::usage, std::to_string(destinations.size()) + " destinations for " +
                                 std::to_string(objects) + " objects");
  for (std::size_t i = 0; i < objects; ++i)
    if (destinations[i] < 0 || destinations[i] >= ranks)
      throw Error(Errc::usage, "object " + std::to_string(i) + " goes to rank " +
                                   std::to_string(destinations[i]) + " of " +
                                   std::to_string(ranks));
}

/// One message for each rank to which something goes, in the order that the objects have.
Outbox<std::byte> sorted_by_destination(std::span<const std::byte> objects, std::size_t size,
                                        std::span<const int> destinations, int ranks) {
  std::vector<std::vector<std::byte>> parts(static_cast<std::size_t>(ranks));
  for (std::size_t i = 0; i < destinations.size(); ++i) {
    auto& part = parts[static_cast<std::size_t>(destinations[i])];
    const auto object = objects.subspan(i * size, size);
    part.insert(part.end(), object.begin(), object.end());
  }
  Outbox<std::byte> out;
  for (int r = 0; r < ranks; ++r)
    if (const auto& part = parts[static_cast<std::size_t>(r)]; !part.empty()) out.add(r, part);
  return out;
}

/// Bytes that other ranks sent to this one.
std::uint64_t collect(const Communicator& comm, const Inbox<std::byte>& in,
                      std::vector<std::byte>& objects) {
  std::uint64_t foreign = 0;
  objects.clear();
  for (const auto& message : in) {
    objects.insert(objects.end(), message.data.begin(), message.data.end());
    if (message.source != comm.rank()) foreign += message.data.size();
  }
  return foreign;
}

/// Number and digest of all objects of all ranks: numbers that wrap around.
std::array<std::uint64_t, 2> census(const Communicator& comm, std::span<const std::byte> objects,
                                    std::size_t size) {
  std::array<std::uint64_t, 2> numbers{objects.size() / size, unordered_digest(objects, size)};
  all_reduce(comm, std::span<std::uint64_t>(numbers));
  return numbers;
}

}  // namespace

std::uint64_t unordered_digest(std::span<const std::byte> objects, std::size_t size) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < objects.size(); at += size) {
    std::uint64_t hash = size;
    for (std::size_t i = 0; i < size; i += sizeof(hash)) {
      std::uint64_t word = 0;
      std::memcpy(&word, objects.data() + at + i, std::min(sizeof(word), size - i));
      hash = (hash ^ word) * 0x9e3779b97f4a7c15;  // 2^64 over the golden ratio, made odd
      hash ^= hash >> 32;
    }
    sum += hash;
  }
  return sum;
}

Migration migrate_bytes(const Communicator& comm, std::vector<std::byte>& objects, std::size_t size,
                        std::span<const int> destinations) {
  together(comm, [&] { expect_destinations(destinations, objects.size() / size, comm.size()); });
  const double start = MPI_Wtime();
  const auto before = census(comm, objects, size);
  const auto out = sorted_by_destination(objects, size, destinations, comm.size());
  std::uint64_t sent = 0;
  for (std::size_t i = 0; i < out.size(); ++i)
    if (out[i].destination != comm.rank()) sent += out[i].data.size();
  Inbox<std::byte> in;
  sparse_exchange(comm, out, in);
  const std::uint64_t received = collect(comm, in, objects);
  if (census(comm, objects, size) != before)
    throw_agreed(comm, Errc::internal, "a migration has lost or changed objects; please report it");
  Migration done;
  done.bytes = all_reduce(comm, sent);
  done.objects = done.bytes / size;
  done.busiest_bytes = all_reduce(comm, sent + received, Maximum{});
  done.seconds = all_reduce(comm, MPI_Wtime() - start, Maximum{});
  return done;
}

}  // namespace cairn::loadbalance::detail
