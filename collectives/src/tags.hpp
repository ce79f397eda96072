/// Tags of the messages on Communicator::internal(): one table, so that no two kinds mix.
#pragma once

namespace cairn::detail {

enum InternalTag : int {
  all_gather_tag = 1,
  gather_tag,
  all_to_all_tag,
  bcast_tag,
  ring_tag,
  long_message_tag,
  sparse_tag,                         // and the next one: two that take turns
  neighbour_tag = sparse_tag + 2,     // and one for each edge of a rank of a grid
  halo_tag = neighbour_tag + 2 * 64,  // and 8 for each of most_halo_tags HaloExchanges
};

/// MPI promises tags up to 32767.
inline constexpr int most_halo_tags = 4000;
static_assert(halo_tag + 8 * most_halo_tags <= 32767);

}  // namespace cairn::detail
