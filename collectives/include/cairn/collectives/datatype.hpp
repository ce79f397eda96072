/// Which C++ types travel, and as which MPI datatype.
///
///     struct Particle { std::array<double, 3> position; int charge; };
///     template <>
///     inline constexpr auto cairn::members_of<Particle> =
///         cairn::Members<&Particle::position, &Particle::charge>{};
#pragma once

#include <mpi.h>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace cairn {

/// All data members of a struct, in any order, as pointers to members.
template <auto... Pointers>
struct Members {};

/// Specialise it with a Members to let a trivially copyable struct travel (picture above). Every
/// member has to be named, or an aggregate does not compile as an element. The compiler does not
/// see which one of a base class is left out, nor any where an empty class is a member or base,
/// where one has no default value, or where arrays of the struct have more than 4096 elements.
/// Of such structs, and of those that are no aggregates, a gap at least as long as the alignment of
/// what follows is Error{Errc::internal} when the datatype is first used; a shorter one passes for
/// padding.
template <typename T>
inline constexpr auto members_of = nullptr;

namespace detail {

template <typename T>
inline constexpr bool always_false = false;

template <typename T>
inline constexpr bool is_described = !std::is_same_v<decltype(members_of<T>), const std::nullptr_t>;

/// Numbers that MPI has a datatype for. With -std=gnu++20 and newer compilers, std::is_arithmetic
/// holds for __int128, __float128, std::float64_t, … too.
template <typename T>
inline constexpr bool is_mpi_float =
    std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, long double>;
template <typename T>
inline constexpr bool is_mpi_integer = sizeof(T) <= sizeof(std::int64_t) &&
                                       (std::is_integral_v<T> || std::is_enum_v<T>);

/// std::complex and what looks like it, without including <complex>.
template <typename T>
concept ComplexLike = std::is_class_v<T> && requires(const T& z) {
  typename T::value_type;
  requires is_mpi_float<typename T::value_type>;
  { z.real() } -> std::convertible_to<typename T::value_type>;
  { z.imag() } -> std::convertible_to<typename T::value_type>;
  requires sizeof(T) == 2 * sizeof(typename T::value_type);
};

template <typename T>
inline constexpr bool is_array = false;
template <typename T, std::size_t n>
inline constexpr bool is_array<std::array<T, n>> = true;
template <typename T, std::size_t n>
inline constexpr bool is_array<T[n]> = true;

template <typename T>
inline constexpr bool is_pointer_or_view =
    std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::is_null_pointer_v<T>;

/// std::string_view, std::span, and containers, whose elements stand elsewhere.
template <typename T>
concept ViewLike = requires(T& t) {
  t.data();
  t.size();
};
/// std::unique_ptr, std::shared_ptr, iterators; std::optional, whose value may be missing.
template <typename T>
concept PointerLike = requires(T& t) {
  *t;
};
template <typename T>
requires(std::is_class_v<T> && !is_array<T> &&
         (ViewLike<T> || PointerLike<T>)) inline constexpr bool is_pointer_or_view<T> = true;
template <typename T>
requires is_array<T>
inline constexpr bool is_pointer_or_view<T> =
    is_pointer_or_view<std::remove_cvref_t<decltype(std::declval<T&>()[0])>>;

template <typename T>
struct IsElement;

template <typename T>
inline constexpr bool is_element = IsElement<std::remove_cv_t<T>>::value;

template <typename Members>
inline constexpr bool all_members_are_elements = false;

template <typename Pointer>
struct PointedMember;
template <typename Class, typename Member>
struct PointedMember<Member Class::*> {
  using Type = Member;
  using Owner = Class;
};

template <auto... pointers>
inline constexpr bool all_members_are_elements<const Members<pointers...>> =
    sizeof...(pointers) > 0 &&
    (is_element<typename PointedMember<std::remove_cv_t<decltype(pointers)>>::Type> && ...);

template <typename T>
struct IsElement {
  static constexpr bool value = is_mpi_float<T> || is_mpi_integer<T> || ComplexLike<T> ||
                                (is_described<T> && std::is_trivially_copyable_v<T> &&
                                 all_members_are_elements<decltype(members_of<T>)>);
};
template <typename T, std::size_t n>
struct IsElement<std::array<T, n>> {
  static constexpr bool value = n > 0 && is_element<T>;
};
template <typename T, std::size_t n>
struct IsElement<T[n]> {
  static constexpr bool value = is_element<T>;
};

/// The predefined MPI datatype of an arithmetic or complex type.
template <typename T>
inline MPI_Datatype predefined_datatype() noexcept {
  if constexpr (std::same_as<T, bool>) {
    return MPI_CXX_BOOL;
  } else if constexpr (std::same_as<T, char>) {
    return MPI_CHAR;
  } else if constexpr (std::same_as<T, std::byte>) {
    return MPI_BYTE;
  } else if constexpr (std::is_enum_v<T>) {
    return predefined_datatype<std::underlying_type_t<T>>();
  } else if constexpr (std::is_integral_v<T>) {
    if constexpr (std::is_signed_v<T>) {
      if constexpr (sizeof(T) == 1) return MPI_INT8_T;
      if constexpr (sizeof(T) == 2) return MPI_INT16_T;
      if constexpr (sizeof(T) == 4) return MPI_INT32_T;
      if constexpr (sizeof(T) == 8) return MPI_INT64_T;
    } else {
      if constexpr (sizeof(T) == 1) return MPI_UINT8_T;
      if constexpr (sizeof(T) == 2) return MPI_UINT16_T;
      if constexpr (sizeof(T) == 4) return MPI_UINT32_T;
      if constexpr (sizeof(T) == 8) return MPI_UINT64_T;
    }
  } else if constexpr (std::same_as<T, float>) {
    return MPI_FLOAT;
  } else if constexpr (std::same_as<T, double>) {
    return MPI_DOUBLE;
  } else if constexpr (std::same_as<T, long double>) {
    return MPI_LONG_DOUBLE;
  } else {
    static_assert(ComplexLike<T>);
    using Value = typename T::value_type;
    if constexpr (std::same_as<Value, float>) return MPI_CXX_FLOAT_COMPLEX;
    if constexpr (std::same_as<Value, double>) return MPI_CXX_DOUBLE_COMPLEX;
    if constexpr (std::same_as<Value, long double>) return MPI_CXX_LONG_DOUBLE_COMPLEX;
  }
}

template <typename T>
inline constexpr bool has_predefined_datatype =
    is_mpi_float<T> || is_mpi_integer<T> || ComplexLike<T>;

/// One member of a struct: where it stands, and what it is.
struct Field {
  std::size_t offset_bytes;
  std::size_t size_bytes;
  std::size_t align_bytes;
  MPI_Datatype type;
};

/// Committed datatypes that MPI_Finalize frees (lifetime.hpp). Local.
MPI_Datatype make_struct_datatype(Field* fields, std::size_t n, std::size_t size_bytes,
                                  std::size_t align_bytes);
MPI_Datatype make_array_datatype(MPI_Datatype element, std::size_t n);

}  // namespace detail

/// A type whose values can be sent: arithmetic, std::byte, an enum, std::complex, a std::array of
/// such, or a struct with members_of.
template <typename T>
concept Element = detail::is_element<T>;

/// The MPI datatype of T; it needs no freeing. Local.
/// @throws Error{Errc::internal} for a struct whose members_of leaves a member out
template <typename T>
[[nodiscard]] inline MPI_Datatype datatype_of();

// ---------------------------------------------------------------------------------------------

namespace detail {

template <typename T, auto pointer>
Field field_of() {
  using Member = typename PointedMember<std::remove_cv_t<decltype(pointer)>>::Type;
  alignas(T) static std::byte bytes[sizeof(T)];
  T* object = reinterpret_cast<T*>(bytes);
  const auto* member = reinterpret_cast<const std::byte*>(&(object->*pointer));
  return {static_cast<std::size_t>(member - bytes), sizeof(Member), alignof(Member),
          datatype_of<Member>()};
}

template <typename T>
inline constexpr bool has_data = !std::is_empty_v<T>;
template <typename T>
inline constexpr bool has_data<std::array<T, 0>> = false;

/// Stands for a value of any member, but for one without data.
struct AnyMember {
  template <typename T>
  requires(has_data<T>) operator T() const;
};

/// Whether T can be initialised with as many values.
template <typename T, std::size_t... i>
constexpr bool takes_values(std::index_sequence<i...>) {
  return requires { T{(static_cast<void>(i), AnyMember{})...}; };
}

/// The values that initialise a member: of a C array, one for each element.
template <typename T>
constexpr std::size_t values_of_member() {
  if constexpr (std::is_array_v<T>) {
    return std::extent_v<T> * values_of_member<std::remove_extent_t<T>>();
  } else {
    return 1;
  }
}

template <typename T>
inline constexpr char identity_of = 0;  // its address

/// Whether the owner of a named member is a base of a base of T, another member of which is named.
template <typename T, typename Owner, typename... Named>
constexpr bool is_within_base() {
  return ((std::is_base_of_v<Owner, typename Named::Owner> &&
           !std::is_same_v<Owner, typename Named::Owner> &&
           !std::is_same_v<T, typename Named::Owner>) ||
          ...);
}

/// The values that initialise the named members of T: those of a base class are one together.
template <typename T, typename... Named>
constexpr std::size_t values_of_named() {
  constexpr const char* owners[] = {&identity_of<typename Named::Owner>...};
  constexpr std::size_t values[] = {values_of_member<typename Named::Type>()...};
  constexpr bool is_within[] = {is_within_base<T, typename Named::Owner, Named...>()...};
  std::size_t all = 0;
  for (std::size_t i = 0; i < sizeof...(Named); ++i) {
    bool is_counted = is_within[i];
    for (std::size_t before = 0; before < i; ++before) is_counted |= owners[before] == owners[i];
    if (owners[i] == &identity_of<T>) {
      all += values[i];
    } else if (!is_counted) {
      ++all;
    }
  }
  return all;
}

/// Whether an aggregate can be initialised with more values than its named members are. False says
/// nothing: no default constructor, or too many values to be worth the compiler's time.
template <typename T, auto... pointers>
constexpr bool leaves_out_a_member() {
  constexpr std::size_t most = 4096;
  constexpr std::size_t named =
      values_of_named<T, PointedMember<std::remove_cv_t<decltype(pointers)>>...>();
  if constexpr (std::is_aggregate_v<T> && named < most) {
    return takes_values<T>(std::make_index_sequence<named + 1>());
  } else {
    return false;
  }
}

template <typename T, auto... pointers>
MPI_Datatype struct_datatype(Members<pointers...>) {
  static_assert(!leaves_out_a_member<T, pointers...>(),
                "cairn: members_of leaves out a member of this struct; it has to name all");
  Field fields[] = {field_of<T, pointers>()...};
  return make_struct_datatype(fields, sizeof...(pointers), sizeof(T), alignof(T));
}

/// Says what is wrong with T, in the first line that the compiler prints.
template <typename T>
constexpr void expect_element() {
  if constexpr (!is_element<T>) {
    static_assert(!is_pointer_or_view<T> || always_false<T>,
                  "cairn: a pointer, view or container means nothing on another rank; send the "
                  "elements that it points to, as a buffer of their own");
    static_assert(!(is_described<T> && !std::is_trivially_copyable_v<T>) || always_false<T>,
                  "cairn: a struct with members_of has to be trivially copyable to travel");
    static_assert(!(is_described<T> && std::is_trivially_copyable_v<T>) || always_false<T>,
                  "cairn: members_of names a member that cannot travel: a pointer, a view, or a "
                  "struct without members_of of its own");
    constexpr bool is_number = std::is_arithmetic_v<T> || std::is_enum_v<T>;
    static_assert(
        !is_number || always_false<T>,
        "cairn: MPI has no datatype for this type of numbers; send integers of at most 64 "
        "bits, float, double or long double");
    static_assert(
        is_number || is_pointer_or_view<T> || is_described<T> || always_false<T>,
        "cairn: this type cannot travel between ranks; describe a struct with template <> "
        "inline constexpr auto cairn::members_of<T> = cairn::Members<&T::a, &T::b>{};");
  }
}

/// For the static_assert of a class of elements.
template <typename T>
constexpr bool expected_element() {
  expect_element<T>();
  return true;
}

}  // namespace detail

template <typename T>
inline MPI_Datatype datatype_of() {
  detail::expect_element<T>();
  if constexpr (!detail::is_element<T>) {
    return MPI_DATATYPE_NULL;
  } else if constexpr (detail::has_predefined_datatype<T>) {
    return detail::predefined_datatype<T>();
  } else if constexpr (detail::is_array<T>) {
    using Value = std::remove_cvref_t<decltype(std::declval<T&>()[0])>;
    static MPI_Datatype type =
        detail::make_array_datatype(datatype_of<Value>(), sizeof(T) / sizeof(Value));
    return type;
  } else {
    static MPI_Datatype type = detail::struct_datatype<T>(members_of<T>);
    return type;
  }
}

}  // namespace cairn
