#include "direct_writes.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>

#include "cairn/core/error.hpp"

namespace cairn::ckpt {

namespace {

constexpr std::size_t buffer_bytes = std::size_t{1} << 20;

std::size_t to_next_block(std::uint64_t position) {
  return static_cast<std::size_t>((DirectWrites::block_bytes - position) %
                                  DirectWrites::block_bytes);
}

}  // namespace

void DirectWrites::Free::operator()(std::byte* memory) const noexcept { std::free(memory); }

DirectWrites::DirectWrites(const std::filesystem::path& path, std::optional<NewFileTrial> trial)
    : buffer_(static_cast<std::byte*>(std::aligned_alloc(block_bytes, buffer_bytes))),
      trial_(trial) {
  if (!buffer_) throw std::bad_alloc();
  file_.emplace(path, O_WRONLY | O_NOFOLLOW);
  if (::fcntl(file_->descriptor(), F_SETFL, O_DIRECT) != 0) file_.reset();
}

void DirectWrites::write_at(File& cached, std::span<const std::byte> bytes,
                            std::uint64_t offset_bytes) {
  if (!trial_) return write_directly(cached, bytes, offset_bytes);
  const auto begin = std::chrono::steady_clock::now();
  if (trial_->next()) {
    write_directly(cached, bytes, offset_bytes);
  } else {
    cached.write_at(bytes, offset_bytes);
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  trial_->took(bytes.size(), elapsed.count());
}

void DirectWrites::write_directly(File& cached, std::span<const std::byte> bytes,
                                  std::uint64_t offset_bytes) {
  const auto head = std::min(to_next_block(offset_bytes), bytes.size());
  const auto body = (bytes.size() - head) / block_bytes * block_bytes;
  if (!file_ || body == 0) return cached.write_at(bytes, offset_bytes);
  cached.write_at(bytes.first(head), offset_bytes);
  if (!write_blocks(bytes.subspan(head, body), offset_bytes + head)) {
    file_.reset();
    cached.write_at(bytes.subspan(head, body), offset_bytes + head);
  }
  cached.write_at(bytes.subspan(head + body), offset_bytes + head + body);
}

/// False when the file system does not take them after all.
bool DirectWrites::write_blocks(std::span<const std::byte> bytes, std::uint64_t offset_bytes) {
  while (!bytes.empty()) {
    const auto length = std::min(bytes.size(), buffer_bytes);
    const auto* memory = bytes.data();
    if (reinterpret_cast<std::uintptr_t>(memory) % block_bytes != 0) {
      std::memcpy(buffer_.get(), memory, length);
      memory = buffer_.get();
    }
    const auto written =
        ::pwrite(file_->descriptor(), memory, length, static_cast<off_t>(offset_bytes));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && (errno == EINVAL || errno == EOPNOTSUPP || errno == ENOMEM)) return false;
    check_posix(written, "write " + file_->path().string());
    // Stopped within a block: that one is written again.
    const auto whole = static_cast<std::size_t>(written) / block_bytes * block_bytes;
    if (whole == 0) return false;
    bytes = bytes.subspan(whole);
    offset_bytes += whole;
  }
  return true;
}

void DirectWrites::close() {
  if (file_) file_->close();
  file_.reset();
}

void NewFileTrial::took(std::uint64_t bytes, double seconds) noexcept {
  bytes_ += bytes;
  seconds_ += seconds;
  const auto window = static_cast<double>(settings_.window_bytes);
  const bool has_lost = is_direct_ && seconds_ * cached_rate_ > window;
  if (bytes_ < settings_.window_bytes && !has_lost) return;
  const double rate = static_cast<double>(bytes_) / seconds_;
  bytes_ = 0;
  seconds_ = 0.0;
  if (is_direct_) {
    direct_rate_ = rate;
  } else {
    cached_rate_ = rate;
  }
  is_direct_ = direct_rate_ ? *direct_rate_ > cached_rate_ : cached_rate_ < settings_.slow_copy;
}

bool DirectTrial::next() const noexcept {
  if (!cached_seconds_) return false;
  if (!direct_seconds_) return true;
  const bool is_direct_faster = *direct_seconds_ < *cached_seconds_;
  return since_trial_ < epochs_between ? is_direct_faster : !is_direct_faster;
}

void DirectTrial::took(bool directly, double seconds) noexcept {
  const bool is_trial = !direct_seconds_ || directly != (*direct_seconds_ < *cached_seconds_);
  since_trial_ = is_trial ? 0 : since_trial_ + 1;
  (directly ? direct_seconds_ : cached_seconds_) = seconds;
}

}  // namespace cairn::ckpt
