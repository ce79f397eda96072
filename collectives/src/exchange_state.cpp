#include "exchange_state.hpp"

#include "cairn/collectives/unknown_counts.hpp"
#include "sparse_state.hpp"

namespace cairn::detail {

ExchangeState::ExchangeState(const Communicator& comm)
    : all_gather(comm.internal(), comm.size(), all_gather_tag),
      gather(comm.internal(), comm.size(), gather_tag),
      all_to_all(comm.internal(), comm.size(), all_to_all_tag),
      lengths(static_cast<std::size_t>(comm.size())),
      ends(lengths.size()),
      counts(lengths.size()),
      displacements(lengths.size()) {
  bcast_slot.reserve(short_bytes(comm.size()) + sizeof(std::size_t));
}

ExchangeState::~ExchangeState() = default;

}  // namespace cairn::detail
