/// What the exchanges of unknown counts keep in a Communicator from call to call.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cairn/collectives/byte_buffer.hpp"
#include "cairn/collectives/communicator.hpp"
#include "channels.hpp"
#include "tags.hpp"

namespace cairn::detail {

struct SparseState;

struct ExchangeState {
  /// Collective, since it makes comm.internal().
  explicit ExchangeState(const Communicator& comm);
  ExchangeState(const ExchangeState&) = delete;
  ExchangeState& operator=(const ExchangeState&) = delete;
  ~ExchangeState();

  Channels all_gather;
  Channels gather;
  Channels all_to_all;

  std::vector<std::size_t> lengths;    // by rank
  std::vector<std::size_t> ends;       // by rank
  std::vector<int> counts;             // by rank
  std::vector<int> displacements;      // by rank
  std::size_t gather_block_words = 1;  // equal on all ranks
  std::vector<std::uint64_t> gather_blocks;

  bool bcast_expects_long = false;  // equal on all ranks
  std::size_t bcast_bytes = 0;      // of the call that runs
  ByteBuffer bcast_slot;

  std::unique_ptr<SparseState> sparse;  // made by the first sparse exchange
};

}  // namespace cairn::detail
