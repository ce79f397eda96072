/// Frames that wait for a peer: a ring of fixed size whose oldest frame gives way.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace cairn::transport::tcp {

class FrameQueue {
 public:
  FrameQueue() = default;
  FrameQueue(std::size_t frames, std::size_t frame_bytes_max)
      : frame_bytes_max_(frame_bytes_max), sizes_(frames), bytes_(frames * frame_bytes_max) {}

  /// False when the oldest frame had to go.
  bool push(std::span<const std::byte> frame) noexcept {
    const bool is_full = count_ == sizes_.size();
    if (is_full) pop();
    const auto slot = (first_ + count_) % sizes_.size();
    sizes_[slot] = frame.size();
    std::copy(frame.begin(), frame.end(), bytes_.begin() + slot * frame_bytes_max_);
    ++count_;
    return !is_full;
  }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::span<const std::byte> front() const noexcept {
    return std::span(bytes_).subspan(first_ * frame_bytes_max_, sizes_[first_]);
  }
  void pop() noexcept {
    first_ = (first_ + 1) % sizes_.size();
    --count_;
  }

 private:
  std::size_t frame_bytes_max_ = 0;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::vector<std::size_t> sizes_;
  std::vector<std::byte> bytes_;
};

}  // namespace cairn::transport::tcp
