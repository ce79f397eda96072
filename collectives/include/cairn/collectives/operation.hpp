/// What reduces: MPI's named operations, and function objects of the caller's.
///
///     all_reduce(comm, x, Maximum{});
///     all_reduce(comm, x, commutative([limit](double a, double b) { return std::min(a + b, limit);
///     })); scan(comm, maps, ordered([](const Map& first, const Map& then) { return first * then;
///     }));
///
/// What a function object throws comes out of the call, or of wait(), on the ranks where it threw;
/// on the others the call succeeds with a wrong result. Inside together() it is an error of all.
#pragma once

#include <mpi.h>

#include <concepts>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>

#include "cairn/collectives/datatype.hpp"

namespace cairn {

/// MPI's own operations. Sum, Product: arithmetic and complex types; Minimum, Maximum: arithmetic;
/// LogicalAnd, LogicalOr, LogicalXor: integers and bool; BitAnd, BitOr, BitXor: integers,
/// std::byte.
struct Sum {
  template <typename T>
  constexpr T operator()(const T& a, const T& b) const {
    return static_cast<T>(a + b);
  }
};
struct Product {
  template <typename T>
  constexpr T operator()(const T& a, const T& b) const {
    return static_cast<T>(a * b);
  }
};
struct Minimum {
  template <typename T>
  constexpr T operator()(const T& a, const T& b) const {
    return b < a ? b : a;
  }
};
struct Maximum {
  template <typename T>
  constexpr T operator()(const T& a, const T& b) const {
    return a < b ? b : a;
  }
};
struct LogicalAnd {
  template <typename T>
  constexpr T operator()(const T& a, const T& b) const {
    return static_cast<T>(a && b);
  }
};
struct LogicalOr {
  template <typename T>
  constexpr T operator()(const T& a, const T& b) const {
    return static_cast<T>(a || b);
  }
};
struct LogicalXor {
  template <typename T>
  constexpr T operator()(const T& a, const T& b) const {
    return static_cast<T>(!a != !b);
  }
};
struct BitAnd {
  template <typename T>
  constexpr T operator()(const T& a, const T& b) const {
    return static_cast<T>(a & b);
  }
};
struct BitOr {
  template <typename T>
  constexpr T operator()(const T& a, const T& b) const {
    return static_cast<T>(a | b);
  }
};
struct BitXor {
  template <typename T>
  constexpr T operator()(const T& a, const T& b) const {
    return static_cast<T>(a ^ b);
  }
};

/// A function object f(a, b) → T that is associative and commutative: MPI may combine in any order.
template <typename F>
struct Commutative {
  F function;
};
template <typename F>
[[nodiscard]] Commutative<F> commutative(F function) {
  return {static_cast<F&&>(function)};
}

/// A function object f(a, b) → T that is associative; a always comes from lower ranks than b.
template <typename F>
struct Ordered {
  F function;
};
template <typename F>
[[nodiscard]] Ordered<F> ordered(F function) {
  return {static_cast<F&&>(function)};
}

namespace detail {

template <typename Op, typename... Ops>
concept OneOf = (std::same_as<Op, Ops> || ...);

template <typename Op>
concept Named = OneOf<Op, Sum, Product, Minimum, Maximum, LogicalAnd, LogicalOr, LogicalXor, BitAnd,
                      BitOr, BitXor>;

/// Integers of C; bool, char and std::byte are no such thing for MPI, enums are what lies below.
template <typename T>
struct Underlying {
  using Type = T;
};
template <typename T>
requires(std::is_enum_v<T> && !std::same_as<T, std::byte>) struct Underlying<T> {
  using Type = std::underlying_type_t<T>;
};

/// Whether MPI 3.1 (section 5.9.2) defines the operation on the type.
template <Named Op, typename Enum>
constexpr bool mpi_defines() {
  using T = typename Underlying<Enum>::Type;
  constexpr bool integer = std::is_integral_v<T> && !std::same_as<T, bool>;
  if constexpr (OneOf<Op, Sum, Product>) {
    return integer || std::is_floating_point_v<T> || ComplexLike<T>;
  } else if constexpr (OneOf<Op, Minimum, Maximum>) {
    return integer || std::is_floating_point_v<T>;
  } else if constexpr (OneOf<Op, LogicalAnd, LogicalOr, LogicalXor>) {
    return integer || std::same_as<T, bool>;
  } else {
    return integer || std::same_as<T, std::byte>;
  }
}

/// MPI_CHAR is text, with which MPI does not calculate.
template <typename T>
MPI_Datatype reduction_datatype() {
  if constexpr (std::same_as<typename Underlying<T>::Type, char>) {
    return std::is_signed_v<char> ? MPI_SIGNED_CHAR : MPI_UNSIGNED_CHAR;
  } else {
    return datatype_of<T>();
  }
}

template <Named Op>
MPI_Op named_operation() noexcept {
  if constexpr (std::same_as<Op, Sum>) return MPI_SUM;
  if constexpr (std::same_as<Op, Product>) return MPI_PROD;
  if constexpr (std::same_as<Op, Minimum>) return MPI_MIN;
  if constexpr (std::same_as<Op, Maximum>) return MPI_MAX;
  if constexpr (std::same_as<Op, LogicalAnd>) return MPI_LAND;
  if constexpr (std::same_as<Op, LogicalOr>) return MPI_LOR;
  if constexpr (std::same_as<Op, LogicalXor>) return MPI_LXOR;
  if constexpr (std::same_as<Op, BitAnd>) return MPI_BAND;
  if constexpr (std::same_as<Op, BitOr>) return MPI_BOR;
  if constexpr (std::same_as<Op, BitXor>) return MPI_BXOR;
}

/// Applies a function object to n elements: inout[i] = f(in[i], inout[i]).
using Apply = void (*)(void* function, const void* in, void* inout, std::size_t n);

/// A place through which MPI reaches a function object: MPI_User_function has no argument for it,
/// so each of a fixed number of functions has its own place. Two reductions under way at once have
/// two places, whatever their types.
class OperationSlot {
 public:
  enum class Order { commutative, ordered };

  OperationSlot() = default;
  /// Local. `function` stays where it is until this object goes.
  /// @throws Error{Errc::unavailable} when 64 reductions with such operations are under way
  OperationSlot(void* function, Apply apply, Order order);
  OperationSlot(OperationSlot&& other) noexcept : index_(other.index_) { other.index_ = none; }
  OperationSlot& operator=(OperationSlot&& other) noexcept;
  OperationSlot(const OperationSlot&) = delete;
  OperationSlot& operator=(const OperationSlot&) = delete;
  ~OperationSlot();

  [[nodiscard]] MPI_Op native() const noexcept;
  /// Throws what the function object threw inside of MPI, on this rank.
  void rethrow() const;

 private:
  static constexpr int none = -1;
  int index_ = none;
};

/// An aligned copy of a trivially copyable T, from memory of any alignment.
template <typename T>
class Realigned {
 public:
  explicit Realigned(const void* from) noexcept { std::memcpy(bytes_, from, sizeof(T)); }
  [[nodiscard]] const T& get() const noexcept { return *reinterpret_cast<const T*>(bytes_); }

 private:
  alignas(T) std::byte bytes_[sizeof(T)];  // T may lack a default constructor
};

template <typename F, typename T>
void apply(void* function, const void* in, void* inout, std::size_t n) {
  auto& f = *static_cast<F*>(function);
  if constexpr (alignof(T) > alignof(std::max_align_t)) {  // memory of MPI's own may be misaligned
    const auto* a = static_cast<const std::byte*>(in);
    auto* b = static_cast<std::byte*>(inout);
    for (std::size_t i = 0; i < n; ++i, a += sizeof(T), b += sizeof(T)) {
      const T result = f(Realigned<T>(a).get(), Realigned<T>(b).get());
      std::memcpy(b, &result, sizeof(T));
    }
  } else {
    const T* a = static_cast<const T*>(in);
    T* b = static_cast<T*>(inout);
    for (std::size_t i = 0; i < n; ++i) b[i] = f(a[i], b[i]);
  }
}

/// An operation while a call uses it: MPI's handle, and what keeps it alive.
template <typename Op, typename T>
struct Reducer {
  static_assert(always_false<Op>,
                "cairn: say whether this operation commutes: commutative(f) or ordered(f); or use "
                "cairn::Sum, Product, Minimum, Maximum, LogicalAnd, BitOr, …");
};

template <Named Op, typename T>
struct Reducer<Op, T> {
  static_assert(mpi_defines<Op, T>() || !is_element<T>,
                "cairn: MPI does not define this operation on this type; pass commutative(f) or "
                "ordered(f)");
  static constexpr bool owns = false;
  explicit Reducer(Op) {}
  static MPI_Op native() noexcept { return named_operation<Op>(); }
  static MPI_Datatype type() { return reduction_datatype<T>(); }
  static void rethrow() noexcept {}
};

template <typename F, typename T, OperationSlot::Order order>
class UserReducer {
 public:
  static_assert(std::is_invocable_r_v<T, F&, const T&, const T&>,
                "cairn: a reduction's function takes two elements and returns one");
  static constexpr bool owns = true;
  explicit UserReducer(F function) : function_(static_cast<F&&>(function)) {}
  /// Only before native(): from there on MPI knows where the function stands.
  UserReducer(UserReducer&&) noexcept = default;

  MPI_Op native() {
    slot_ = OperationSlot();  // of a call that failed
    slot_ = OperationSlot(&function_, apply<F, T>, order);
    return slot_.native();
  }
  static MPI_Datatype type() { return datatype_of<T>(); }
  /// After the call: frees the slot, and throws what the function threw.
  void rethrow() {
    const OperationSlot done = std::move(slot_);
    done.rethrow();
  }

 private:
  F function_;
  OperationSlot slot_;
};

template <typename F, typename T>
struct Reducer<Commutative<F>, T> : UserReducer<F, T, OperationSlot::Order::commutative> {
  explicit Reducer(Commutative<F> op)
      : UserReducer<F, T, OperationSlot::Order::commutative>(static_cast<F&&>(op.function)) {}
};
template <typename F, typename T>
struct Reducer<Ordered<F>, T> : UserReducer<F, T, OperationSlot::Order::ordered> {
  explicit Reducer(Ordered<F> op)
      : UserReducer<F, T, OperationSlot::Order::ordered>(static_cast<F&&>(op.function)) {}
};

}  // namespace detail

}  // namespace cairn
