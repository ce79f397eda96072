#include "journal_disk.hpp"

#include <fcntl.h>

#include <exception>
#include <utility>

#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/core/private_files.hpp"
#include "cairn/core/signals_blocked.hpp"

namespace cairn::consensus::journal {

namespace {

Failpoint before_append{"journal.append"};
Failpoint before_sync{"journal.sync"};
Failpoint before_record{"journal.record"};

}  // namespace

Disk::Disk(const std::filesystem::path& log, std::optional<SlotFile> slots)
    : log_(open_regular_file(log, O_RDWR | O_APPEND)), slots_(std::move(slots)) {
  // Behind a torn end the next record begins at a multiple of 8 again.
  const auto rest = log_.size_bytes() % 8;
  if (rest != 0) log_.write(Bytes(8 - rest));
  const SignalsBlocked for_the_thread;  // they are the program's
  thread_ = std::thread([this] { run(); });
}

Disk::~Disk() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void Disk::begin(Write write) {
  expects(!write.record || slots_, "a journal that keeps a copy promises nothing");
  {
    const std::lock_guard lock(mutex_);
    if (!failure_.empty()) return;
    queue_.push_back(std::move(write));
  }
  work_.notify_one();
}

PersistToken Disk::durable() const {
  const std::lock_guard lock(mutex_);
  return durable_;
}

std::size_t Disk::under_way() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

std::uint64_t Disk::completed() const {
  const std::lock_guard lock(mutex_);
  return completed_;
}

std::string Disk::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void Disk::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [&] { return is_ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const auto& write = queue_.front();  // stays where it is while others are added
    lock.unlock();
    std::string failure;
    try {
      perform(write);
    } catch (const std::exception& error) {
      failure = error.what();
    }
    lock.lock();
    if (!failure.empty()) {
      failure_ = failure;
      queue_.clear();
      continue;
    }
    if (write.record) durable_ = write.token;
    ++completed_;
    queue_.pop_front();
  }
}

void Disk::perform(const Write& write) {
  if (!write.appended.empty()) {
    before_append.check("append to " + log_.path().string());
    log_.write(write.appended);
    before_sync.check("fdatasync " + log_.path().string());
    log_.sync();
  }
  if (write.record) {
    before_record.check("write the record beside " + log_.path().string());
    slots_->write(*write.record);
  }
}

}  // namespace cairn::consensus::journal
