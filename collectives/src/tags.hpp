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
  sparse_tag,  // and the next one: two that take turns
};

}  // namespace cairn::detail
