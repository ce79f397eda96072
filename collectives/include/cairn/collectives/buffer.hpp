/// What a call sends from and receives into.
///
/// | argument                                      | meaning |
/// |-----------------------------------------------|-----------------------------------------------|
/// | std::span, std::vector, std::array, T[n], …   | its elements, in place; the caller's | | Eigen
/// matrix, map or block                    | its elements in memory order, without a copy  | |
/// strided(span, stride)                         | every stride-th element, without a copy       |
/// | a scalar                                      | one element, by value; results are returned |
/// | std::move(vector)                             | moved into the call, which returns it | |
/// into(vector)       (outputs)                  | resized to what comes; its memory is reused   |
/// | fresh              (outputs, fresh.hpp)       | a new std::vector, which is returned |
#pragma once

#include <mpi.h>

#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

#include "cairn/collectives/count.hpp"
#include "cairn/collectives/datatype.hpp"
#include "cairn/core/expects.hpp"

namespace cairn {

/// Every stride-th element of a row-major or column-major array: a column, a row, a diagonal.
/// Borrows.
template <typename T>
struct Strided {
  T* data = nullptr;
  std::size_t inner = 0;         ///< elements of a run
  std::size_t inner_stride = 1;  ///< elements from one to the next inside a run
  std::size_t outer = 1;         ///< runs
  std::size_t outer_stride = 0;  ///< elements from the start of a run to the start of the next

  [[nodiscard]] std::size_t count() const noexcept { return inner * outer; }
  [[nodiscard]] bool is_contiguous() const noexcept {
    return count() == 0 ||
           (((inner_stride == 1 || inner == 1)) && (outer == 1 || (outer_stride == inner)));
  }
};

/// Elements 0, stride, 2·stride, … of `data` (shape [n]). Local.
/// @throws Error{Errc::internal} unless stride ≥ 1
template <typename T>
[[nodiscard]] Strided<T> strided(std::span<T> data, std::size_t stride) {
  expects(stride >= 1, "a stride of 1 or more");
  return {data.data(), (data.size() + stride - 1) / stride, stride, 1, 0};
}

/// Marks a vector (anything with data, size and resize) as the output of a call that may resize it.
/// Borrows; memory that it has is reused.
template <typename Vector>
struct Into {
  Vector& vector;
};
template <typename Vector>
[[nodiscard]] Into<Vector> into(Vector& vector) {
  return {vector};
}

namespace detail {

/// `count` elements, one behind the other.
template <typename T>
struct Contiguous {
  T* data;
  std::size_t elements;
  [[nodiscard]] std::size_t count() const noexcept { return elements; }
};

template <typename T>
inline constexpr bool is_strided = false;
template <typename T>
inline constexpr bool is_strided<Strided<T>> = true;
template <typename T>
inline constexpr bool is_into = false;
template <typename V>
inline constexpr bool is_into<Into<V>> = true;

template <typename B>
concept Sized = requires(B& b) {
  requires std::is_pointer_v<std::remove_cvref_t<decltype(b.data())>>;
  b.size();
};

/// Eigen's dense objects with memory of their own or borrowed.
template <typename B>
concept MatrixLike = Sized<B> && requires(B& b) {
  b.innerStride();
  b.outerStride();
  b.innerSize();
  b.outerSize();
};

template <typename T>
inline constexpr bool is_std_array = false;
template <typename T, std::size_t n>
inline constexpr bool is_std_array<std::array<T, n>> = true;

/// One value, which calls take by value.
template <typename B>
concept Scalar = is_element<B> && !Sized<B> && !std::is_array_v<B>;

/// What owns its elements, so that a temporary of it has to be kept.
template <typename B>
concept Container = is_std_array<B> ||
                    (Sized<B> && !MatrixLike<B> && requires(B & b) { b.resize(std::size_t{}); }) ||
                    (MatrixLike<B> && requires {
                      typename B::PlainObject;
                      requires std::same_as<B, typename B::PlainObject>;
                    });

/// The elements of a buffer: Contiguous or Strided.
template <typename B>
auto elements_of(B& buffer) {
  using Plain = std::remove_cv_t<B>;
  if constexpr (is_strided<Plain>) {
    return buffer;
  } else if constexpr (MatrixLike<B>) {
    using T = std::remove_pointer_t<decltype(buffer.data())>;
    return Strided<T>{buffer.data(), static_cast<std::size_t>(buffer.innerSize()),
                      static_cast<std::size_t>(buffer.innerStride()),
                      static_cast<std::size_t>(buffer.outerSize()),
                      static_cast<std::size_t>(buffer.outerStride())};
  } else if constexpr (Sized<B>) {
    using T = std::remove_pointer_t<decltype(buffer.data())>;
    return Contiguous<T>{buffer.data(), static_cast<std::size_t>(buffer.size())};
  } else if constexpr (std::is_array_v<Plain>) {
    return Contiguous<std::remove_extent_t<B>>{buffer, std::extent_v<Plain>};
  } else if constexpr (is_element<Plain>) {
    return Contiguous<B>{&buffer, 1};
  } else if constexpr (std::is_pointer_v<Plain>) {
    static_assert(
        always_false<B>,
        "cairn: a pointer does not say how many elements; pass std::span(pointer, count)");
    return Contiguous<char>{nullptr, 0};
  } else if constexpr (is_into<Plain> || requires { typename Plain::template Made<char>; }) {
    static_assert(always_false<B>,
                  "cairn: into() and fresh stand for outputs; pass an input, or what is changed in "
                  "place, itself");
    return Contiguous<char>{nullptr, 0};
  } else if constexpr (std::is_class_v<Plain> && requires { buffer.begin(); }) {
    static_assert(!std::is_same_v<typename Plain::value_type, bool> || always_false<B>,
                  "cairn: std::vector<bool> keeps bits, not elements; use std::vector<char>");
    static_assert(std::is_same_v<typename Plain::value_type, bool> || always_false<B>,
                  "cairn: the elements of a buffer stand one behind the other; copy this range "
                  "into a std::vector");
    return Contiguous<char>{nullptr, 0};
  } else {
    expect_element<Plain>();
    return Contiguous<char>{nullptr, 0};
  }
}

template <typename View>
using ValueOf = std::remove_cv_t<std::remove_pointer_t<decltype(std::declval<View&>().data)>>;

/// Elements as MPI takes them: a count and a datatype, which it frees if it was made for this call.
/// Counts above max_count and strides become one element of a derived type.
class Wire {
 public:
  template <typename T>
  explicit Wire(const Contiguous<T>& elements)
      : Wire(elements.count(), datatype_of<std::remove_cv_t<T>>()) {}
  template <typename T>
  explicit Wire(const Strided<T>& elements) {
    const auto element = datatype_of<std::remove_cv_t<T>>();
    if (elements.is_contiguous()) {
      *this = Wire(elements.count(), element);
    } else {
      take(strided_type(elements.inner, elements.inner_stride, elements.outer,
                        elements.outer_stride, sizeof(T), element));
    }
  }
  /// n elements of a datatype, its extent apart.
  Wire(std::size_t n, MPI_Datatype element) {
    if (n <= max_count) [[likely]] {
      count = static_cast<int>(n);
      type = element;
    } else {
      take(big_type(n, element));
    }
  }
  Wire(Wire&& other) noexcept
      : count(other.count), type(other.type), owned_(std::exchange(other.owned_, false)) {}
  Wire& operator=(Wire&& other) noexcept {
    std::swap(count, other.count);
    std::swap(type, other.type);
    std::swap(owned_, other.owned_);
    return *this;
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire() {
    if (owned_) [[unlikely]] {
      free_type(type);
    }
  }

  int count = 0;
  MPI_Datatype type = MPI_DATATYPE_NULL;

 private:
  // None of them is handed this object: its members stay in registers where elements are few.
  static MPI_Datatype big_type(std::size_t n, MPI_Datatype element);
  static MPI_Datatype strided_type(std::size_t inner, std::size_t inner_stride, std::size_t outer,
                                   std::size_t outer_stride, std::size_t element_bytes,
                                   MPI_Datatype element);
  static void free_type(MPI_Datatype type) noexcept;

  void take(MPI_Datatype made) {
    type = made;
    count = 1;
    owned_ = true;
  }

  bool owned_ = false;
};

/// A buffer as a call holds it: the caller's elements.
template <typename View>
struct Borrowed {
  using Result = void;
  static constexpr bool owns = false;
  View elements;

  [[nodiscard]] const View& view() const noexcept { return elements; }
  void release() const noexcept {}
};

/// Elements that were moved into the call; release() gives them back.
template <typename C>
struct Owned {
  using Result = C;
  static constexpr bool owns = true;
  C container;

  [[nodiscard]] auto view() { return elements_of(container); }
  [[nodiscard]] C release() { return std::move(container); }
};

/// Stands for a buffer that a call does not have.
struct Nothing {
  using Result = void;
  static constexpr bool owns = false;
  [[nodiscard]] Contiguous<std::byte> view() const noexcept { return {nullptr, 0}; }
  void release() const noexcept {}
};

template <typename B>
void expect_writable() {
  if constexpr (std::is_const_v<B>) {
    static_assert(always_false<B>,
                  "cairn: this call writes to its buffer, and the elements are const");
  }
}

/// The buffer of an argument that is read, or read and written.
template <typename B>
auto hold(B&& buffer) {
  using Plain = std::remove_cvref_t<B>;
  if constexpr (Scalar<Plain>) {
    return Owned<Plain>{buffer};
  } else if constexpr (Container<Plain> && !std::is_lvalue_reference_v<B>) {
    return Owned<Plain>{std::forward<B>(buffer)};
  } else {
    return Borrowed<decltype(elements_of(buffer))>{elements_of(buffer)};
  }
}

/// The buffer of an argument that is written, for `needed` elements where it can be sized.
template <typename T, typename B>
auto hold_output(B&& buffer, std::size_t needed) {
  using Plain = std::remove_cvref_t<B>;
  if constexpr (is_into<Plain>) {
    buffer.vector.resize(needed);
    return hold(buffer.vector);
  } else if constexpr (requires { typename Plain::template Made<T>; }) {
    return Owned<typename Plain::template Made<T>>{typename Plain::template Made<T>(needed)};
  } else {
    static_assert(!(Scalar<Plain> && std::is_lvalue_reference_v<B>),
                  "cairn: a scalar is not written to; pass std::span(&x, 1), or fresh for a vector "
                  "that is returned");
    auto held = hold(std::forward<B>(buffer));
    using Elements = std::remove_cvref_t<decltype(held.view())>;
    expect_writable<std::remove_pointer_t<decltype(std::declval<Elements&>().data)>>();
    static_assert(std::is_same_v<ValueOf<Elements>, T> || !is_element<ValueOf<Elements>>,
                  "cairn: input and output of a call have the same type of elements");
    return held;
  }
}

/// The same where only the caller knows how many there are.
template <typename T, typename B>
auto hold_sized_output(B&& buffer) {
  using Plain = std::remove_cvref_t<B>;
  static_assert(
      !is_into<Plain> && !requires { typename Plain::template Made<T>; },
      "cairn: the size of this output says how much comes; pass a buffer that has it");
  if constexpr (is_into<Plain> || requires { typename Plain::template Made<T>; }) {
    return Owned<T>{};
  } else {
    return hold_output<T>(std::forward<B>(buffer), 0);
  }
}

/// The pointer that MPI writes through; MPI's own signatures of inputs are const.
template <typename T>
std::remove_const_t<T>* writable(T* data) {
  expect_writable<T>();
  return const_cast<std::remove_const_t<T>*>(data);
}

/// Elements one behind the other, for calls whose parts MPI finds by counting.
template <typename T>
Contiguous<T> contiguous(const Contiguous<T>& elements) {
  return elements;
}
template <typename T>
Contiguous<T> contiguous(const Strided<T>& elements) {
  expects(elements.is_contiguous(), "elements one behind the other, not a strided buffer");
  return {elements.data, elements.count()};
}

}  // namespace detail

}  // namespace cairn
