#include "ckpt_element.hpp"

#include <fmt/format.h>

#include <type_traits>

namespace cairn::tool {

namespace {

template <typename T>
constexpr bool is_complex = !std::is_arithmetic_v<T>;

/// An int8 is a number, not a letter.
template <typename T>
auto printable(T value) {
  if constexpr (std::is_integral_v<T> && sizeof(T) == 1) {
    return static_cast<int>(value);
  } else {
    return value;
  }
}

}  // namespace

std::string element_text(ckpt::ScalarType type, std::span<const std::byte> bytes) {
  if (bytes.size() != ckpt::size_of(type)) return "?";
  return with_type(type, [&]<typename T>(T) {
    const auto value = element_at<T>(bytes, 0);
    if constexpr (is_complex<T>) {
      return fmt::format("({}, {})", value.real(), value.imag());
    } else {
      return fmt::format("{}", printable(value));
    }
  });
}

nlohmann::ordered_json element_json(ckpt::ScalarType type, std::span<const std::byte> bytes) {
  using Json = nlohmann::ordered_json;
  if (bytes.size() != ckpt::size_of(type)) return {};
  return with_type(type, [&]<typename T>(T) -> Json {
    const auto value = element_at<T>(bytes, 0);
    if constexpr (is_complex<T>) {
      return Json::array({value.real(), value.imag()});
    } else {
      return printable(value);
    }
  });
}

void as_doubles(ckpt::ScalarType type, std::span<const std::byte> bytes, std::span<double> values) {
  with_type(type, [&]<typename T>(T) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto value = element_at<T>(bytes, i);
      if constexpr (is_complex<T>) {
        values[i] = std::abs(std::complex<double>(value));
      } else {
        values[i] = static_cast<double>(value);
      }
    }
  });
}

}  // namespace cairn::tool
