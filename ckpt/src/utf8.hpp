/// What a record's JSON can hold: UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace cairn::ckpt {

/// Whether `text` is well-formed UTF-8: no overlong form, no surrogate, nothing above U+10FFFF.
/// Source: The Unicode Standard, table 3-7.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

/// `text` for a message: bytes that are not printable ASCII as \xNN.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace cairn::ckpt
