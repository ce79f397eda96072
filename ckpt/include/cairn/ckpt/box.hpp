/// A box inside an array.
#pragma once

#include "cairn/ckpt/block.hpp"

namespace cairn::ckpt {

/// [offset, offset + count) along every axis.
struct Box {
  Shape offset;
  Shape count;
};

}  // namespace cairn::ckpt
