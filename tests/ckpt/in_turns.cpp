#include "in_turns.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <new>
#include <span>
#include <stdexcept>
#include <utility>

#include "cairn/core/error.hpp"
#include "cairn/core/file.hpp"

using namespace cairn;
using namespace cairn::ckpt;
using namespace cairn::test;
namespace fs = std::filesystem;
using std::literals::string_view_literals::operator""sv;

namespace {

/// In a launch: its own. In who runs them: none.
Desk* own = nullptr;

/// Another launch may go on here, before this call.
void step(const char* call, std::string_view path) {
  if (own == nullptr) return;
  const int error_number = errno;
  const auto name = path.substr(path.rfind('/') + 1);
  std::snprintf(own->next_call, sizeof own->next_call, "%s %.*s", call,
                static_cast<int>(name.size()), name.data());
  own->listings += call == "openat"sv ? 1 : 0;
  ::sem_post(&own->stopped);
  while (::sem_wait(&own->go) != 0) continue;
  errno = error_number;
}

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  static auto* const real = next<int(const char*, int, ...)>("open");
  std::va_list more;
  va_start(more, flags);
  const auto mode = va_arg(more, mode_t);  // unspecified, and unused, without O_CREAT
  va_end(more);
  step("open", path);
  return real(path, flags, mode);
}

// The C++ library reads directories by it.
int openat(int directory, const char* path, int flags, ...) {
  static auto* const real = next<int(int, const char*, int, ...)>("openat");
  std::va_list more;
  va_start(more, flags);
  const auto mode = va_arg(more, mode_t);  // unspecified, and unused, without O_CREAT
  va_end(more);
  step("openat", path);
  return real(directory, path, flags, mode);
}

int link(const char* from, const char* to) noexcept {
  static auto* const real = next<int(const char*, const char*)>("link");
  step("link", to);
  if (own != nullptr && own->mutant == Mutant::link_replaces) next<int(const char*)>("unlink")(to);
  return real(from, to);
}

int rename(const char* from, const char* to) noexcept {
  static auto* const real = next<int(const char*, const char*)>("rename");
  step("rename", to);
  return real(from, to);
}

int unlink(const char* path) noexcept {
  static auto* const real = next<int(const char*)>("unlink");
  step("unlink", path);
  return real(path);
}

int lstat(const char* path, struct stat* status) noexcept {
  static auto* const real = next<int(const char*, struct stat*)>("lstat");
  step("lstat", path);
  return real(path, status);
}

int stat(const char* path, struct stat* status) noexcept {
  static auto* const real = next<int(const char*, struct stat*)>("stat");
  step("stat", path);
  return real(path, status);
}

// Power does not fail here.
int fsync(int) {
  step("fsync", "");
  return 0;
}
int fdatasync(int) {
  step("fdatasync", "");
  return 0;
}

}  // extern "C"

namespace {

void put(char (&place)[most_text], std::string_view text) {
  place[text.copy(place, most_text - 1)] = 0;
}

Access access_of_a_launch() {
  return {.kind = consensus::Claimant::Kind::launch, .stale_seconds = 600, .heartbeat_seconds = 0};
}

/// As an operator does: cairn journal fence.
void take_over_by_force(const fs::path& directory) {
  const auto owner = consensus::owner(directory);
  if (!owner || owner->is_released) return;
  (void)consensus::claim(
      directory, consensus::this_process(consensus::Claimant::Kind::by_operator),
      {.heartbeat_seconds = 0, .take_over = consensus::FenceOptions::TakeOver::by_force});
}

/// Publishes the next epoch. Returns its history.
History save(const EpochStore& store, const History& before) {
  EpochRecord record;
  record.job = "0123";
  record.program = "launches";
  record.epoch = store.reserve(store.next_epoch());
  record.incarnation = store.incarnation();
  record.ranks = 1;
  record.identity = before + (before.empty() ? "" : " ") + std::to_string(record.incarnation) +
                    "." + std::to_string(record.epoch);
  record.data_file = store.data_path(record.epoch).filename();
  record.data_bytes = record.identity.size();
  store.remove_strays(record.epoch);
  {
    File data(store.temporary_data_path(record.epoch), O_WRONLY);
    data.write(std::as_bytes(std::span(record.identity)));
    data.sync();
  }
  try {
    store.publish(record);
  } catch (const Error& error) {
    const bool is_fenced = error.code() == Errc::unavailable;
    if (is_fenced && own->mutant == Mutant::believes_itself) return record.identity;
    if (is_fenced && own->mutant == Mutant::retires_when_fenced)
      for (const auto epoch : store.retirable(1, {})) ::unlink(store.record_path(epoch).c_str());
    throw;
  }
  return record.identity;
}

/// The life of a launch, in the order in which Checkpointer does it.
void live(const fs::path& directory, const Plan& plan) {
  if (plan.takes_over) take_over_by_force(directory);
  EpochStore store(directory, access_of_a_launch());
  own->incarnation = store.incarnation();
  const auto good = good_ones(store, own->mutant);
  if (own->mutant != Mutant::restores_when_fenced) store.check_owner();
  History history = good.empty() ? "" : good.front().identity;
  put(own->restored, history);
  own->has_restored = true;
  if (own->mutant != Mutant::no_confirm) store.confirm({});
  for (int i = 0; i < plan.saves; ++i) {
    history = save(store, history);
    put(own->committed, history);
    store.retire(plan.keep, {});
  }
}

Desk* make_desk(Mutant mutant) {
  void* const place =
      ::mmap(nullptr, sizeof(Desk), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) throw std::runtime_error("mmap");
  auto* const desk = new (place) Desk{};
  ::sem_init(&desk->go, 1, 0);
  ::sem_init(&desk->stopped, 1, 0);
  desk->mutant = mutant;
  return desk;
}

int live_at(Desk* desk, const fs::path& directory, const Plan& plan) {
  own = desk;
  while (::sem_wait(&own->go) != 0) continue;
  int code = 0;
  try {
    live(directory, plan);
  } catch (const Error& error) {
    code = error.exit_code();
    put(own->error, error.what());
  }
  own->has_ended = true;
  ::sem_post(&std::exchange(own, nullptr)->stopped);
  return code;
}

}  // namespace

namespace cairn::test {

std::vector<EpochRecord> good_ones(const EpochStore& store, Mutant mutant) {
  std::vector<EpochRecord> good;
  for (auto& found : store.find()) {
    const bool is_honoured = found.is_void && mutant == Mutant::honours_void;
    if (!found.problem.empty() && !is_honoured) continue;
    auto record =
        parse_record(is_honoured ? read_file(store.record_path(found.epoch)) : found.text);
    if (store.data_problem(record).empty()) good.push_back(std::move(record));
  }
  return good;
}

Launch::Launch(const fs::path& directory, const Plan& plan, Mutant mutant)
    : desk_(make_desk(mutant)),
      process_([&, desk = desk_] { return live_at(desk, directory, plan); }) {}

Launch::~Launch() {
  process_.reset();
  ::munmap(desk_, sizeof *desk_);
}

void Launch::go_on() {
  ::sem_post(&desk_->go);
  timespec deadline{};
  ::clock_gettime(CLOCK_REALTIME, &deadline);
  deadline.tv_sec += 60;
  while (::sem_timedwait(&desk_->stopped, &deadline) != 0)
    if (errno != EINTR) throw std::runtime_error("a launch does not come to its next step");
  if (desk_->has_ended) is_alive_ = false;
}

void Launch::kill() {
  process_.reset();
  is_alive_ = false;
}

bool Launch::is_about_to_publish() const {
  const std::string_view call = desk_->next_call;
  return is_alive_ && call.starts_with("rename ") && call.ends_with(".record");
}

}  // namespace cairn::test
