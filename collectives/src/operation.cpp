#include "cairn/collectives/operation.hpp"

#include <array>
#include <atomic>
#include <exception>
#include <mutex>
#include <utility>

#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"
#include "lifetime.hpp"

namespace cairn::detail {

namespace {

constexpr std::size_t slot_count = 64;

struct Slot {
  void* function = nullptr;
  Apply apply = nullptr;
  std::exception_ptr error;
  std::array<MPI_Op, 2> ops{MPI_OP_NULL, MPI_OP_NULL};  // by Order; made when first used
  bool commutes = false;
  bool used = false;
};

std::mutex mutex;  // guards `used` and `ops`; the rest belongs to the slot's user
std::array<Slot, slot_count> slots;

void call(Slot& slot, const void* in, void* inout, const int* n) noexcept {
  if (slot.error) return;
  try {
    slot.apply(slot.function, in, inout, static_cast<std::size_t>(*n));
  } catch (...) {
    slot.error = std::current_exception();  // MPI is C; no exception passes through it
  }
}

template <std::size_t index>
void trampoline(void* in, void* inout, int* n, MPI_Datatype*) {
  call(slots[index], in, inout, n);
}

template <std::size_t... indices>
constexpr auto all_trampolines(std::index_sequence<indices...>) {
  return std::array<MPI_User_function*, slot_count>{trampoline<indices>...};
}
constexpr auto trampolines = all_trampolines(std::make_index_sequence<slot_count>());

}  // namespace

OperationSlot::OperationSlot(void* function, Apply apply, Order order) {
  const std::lock_guard lock(mutex);
  std::size_t free = 0;
  while (free < slot_count && slots[free].used) ++free;
  if (free == slot_count) {
    throw Error(Errc::unavailable,
                "64 reductions with operations of the caller's are under way; wait for some first");
  }
  Slot& slot = slots[free];
  slot.commutes = order == Order::commutative;
  auto& op = slot.ops[slot.commutes ? 1 : 0];
  if (op == MPI_OP_NULL) {
    check_mpi(MPI_Op_create(trampolines[free], slot.commutes ? 1 : 0, &op), "MPI_Op_create");
    keep_until_finalize(op);
  }
  slot.function = function;
  slot.apply = apply;
  slot.error = nullptr;
  slot.used = true;
  index_ = static_cast<int>(free);
}

OperationSlot& OperationSlot::operator=(OperationSlot&& other) noexcept {
  std::swap(index_, other.index_);
  return *this;
}

OperationSlot::~OperationSlot() {
  if (index_ == none) return;
  const std::lock_guard lock(mutex);
  slots[static_cast<std::size_t>(index_)].used = false;
}

MPI_Op OperationSlot::native() const noexcept {
  const Slot& slot = slots[static_cast<std::size_t>(index_)];
  return slot.ops[slot.commutes ? 1 : 0];
}

void OperationSlot::rethrow() const {
  if (index_ == none) return;
  if (auto error = std::exchange(slots[static_cast<std::size_t>(index_)].error, nullptr)) {
    std::rethrow_exception(error);
  }
}

}  // namespace cairn::detail
