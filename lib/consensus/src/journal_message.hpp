/// What the nodes of a journal say to each other, as far as it is text. Pure.
#pragma once

#include <string>
#include <string_view>

#include "cairn/consensus/journal.hpp"

namespace cairn::consensus::journal {

/// Whether the sizes in it can be: messages come as the bytes that they were at the sender.
[[nodiscard]] inline bool is_sound(const JournalMessage& message) noexcept {
  return message.text.is_sound() && message.raft.entries.is_sound();
}

[[nodiscard]] inline std::string text_of(const JournalMessage& message) {
  return {message.text.begin(), message.text.end()};
}

/// Cut to what a message has room for.
inline void set_text(JournalMessage& message, std::string_view text) {
  message.text.clear();
  for (const char letter : text.substr(0, message.text.capacity())) message.text.push_back(letter);
}

[[nodiscard]] inline JournalMessage message_with(JournalMessage::Kind kind, std::string_view text) {
  JournalMessage message{.kind = kind};
  set_text(message, text);
  return message;
}

}  // namespace cairn::consensus::journal
