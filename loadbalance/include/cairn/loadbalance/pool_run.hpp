/// How a WorkPool runs, on one rank: work_pool.hpp is what programs include.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/core/error.hpp"
#include "cairn/loadbalance/pool_options.hpp"
#include "cairn/loadbalance/pool_report.hpp"
#include "cairn/loadbalance/pool_telemetry.hpp"
#include "cairn/loadbalance/pool_worker.hpp"
#include "cairn/loadbalance/process.hpp"
#include "cairn/loadbalance/steal_network.hpp"

namespace cairn::loadbalance {

namespace detail {

/// One run of a pool on this rank, or a part of one. `pause` says whether it shall end early.
template <PoolTask T, Accumulator A, typename Process, std::predicate<const RankLook&> Pause>
class PoolRun final : private TaskBank {
 public:
  PoolRun(const WorkPoolOptions& options, StealNetwork& network, const Process& process,
          Pause& pause)
      : network_(network),
        pause_(pause),
        telemetry_(network, options.threads, options.pulse, options.pulse_seconds),
        stealing_(options.stealing) {
    for (std::size_t t = 0; t < static_cast<std::size_t>(options.threads); ++t)
      workers_.emplace_back(process, telemetry_.meter(t));
  }

  /// @return the results of this rank
  A run(std::span<const T> roots, WorkPoolReport& report) {
    telemetry_.begin();
    network_.begin();
    guard(workers_[0], [&] { workers_[0].stack.push_all(roots); });
    std::vector<std::thread> threads;
    for (std::size_t t = 1; t < workers_.size(); ++t) {
      try {
        threads.emplace_back([this, t] { help(workers_[t]); });
      } catch (const std::system_error&) {  // then with fewer of them
        break;
      } catch (const std::bad_alloc&) {
        break;
      }
    }
    helpers_ = threads.size();
    const auto end = [&] {
      stop_waiting();
      for (auto& thread : threads) thread.join();
    };
    try {
      lead(workers_[0]);
    } catch (...) {  // of MPI
      is_dropped_ = true;
      end();
      throw;
    }
    end();
    A total{};
    report = {.shared = shared_count_, .naps = naps_, .stealing = network_.counts()};
    telemetry_.finish(static_cast<int>(helpers_) + 1, report);
    for (auto& worker : workers_) report.tasks += worker.tasks();
    guard(
        workers_[0],
        [&] {
          for (auto& worker : workers_) total.merge(worker.results);
        },
        "merging results");
    return total;
  }

  /// The tasks of this rank that are left, if it was paused.
  [[nodiscard]] std::vector<T> tasks_left() const {
    std::vector<T> tasks = common_;
    for (const auto& worker : workers_) {
      const auto mine = worker.stack.all();
      tasks.insert(tasks.end(), mine.begin(), mine.end());
    }
    return tasks;
  }

  /// What this rank has failed of first, which its tasks have thrown mostly.
  [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }

 private:
  using Lock = std::unique_lock<std::mutex>;
  using Clock = std::chrono::steady_clock;

  // Between two looks at the network, and longer where a look takes long: where ranks outnumber
  // cores, MPI gives the core away at each.
  static constexpr std::chrono::microseconds least_between_looks{20};
  static constexpr std::chrono::microseconds longest_between_looks{500};
  static constexpr int share_of_looks = 20;  // a look takes a twentieth of the time
  // Who waits looks again at once at first, since to be put to sleep and woken takes long, and on a
  // busy machine much longer; then it gives way to others, and then it sleeps. Turns, not times:
  // who gives way may be back only after milliseconds.
  static constexpr unsigned looks = 300;
  static constexpr unsigned yields = 100;
  // Naps grow slowly, so that one takes about a sixteenth of the time that was waited before.
  static constexpr std::chrono::nanoseconds shortest_nap = std::chrono::microseconds(20);
  static constexpr std::chrono::nanoseconds longest_nap = std::chrono::milliseconds(4);
  static constexpr int naps_waited = 16;

  using Worker = PoolWorker<T, A, Process>;

  // --- all threads -------------------------------------------------------------------------

  /// Until `span` has passed.
  void work(Worker& worker, Clock::duration span) {
    worker.work(span, [&] {
      if (auto error = worker.take_error()) [[unlikely]]
        fail(std::move(*error));
      if (is_dropped_.load(std::memory_order_relaxed)) worker.stack.clear();
      if (hungry_.load(std::memory_order_relaxed) > 0 && worker.stack.can_split()) share(worker);
    });
  }

  void share(Worker& worker) {
    const Lock lock(mutex_);
    const auto wanted = static_cast<std::size_t>(hungry_.load());
    if (common_.size() >= wanted) return;  // is on its way
    if (wanted == 1 && network_is_hungry_ && !is_worth_sharing(worker.stack.size())) return;
    const std::size_t before = common_.size();
    worker.stack.split(worker.stack.size(), common_);
    if (common_.size() == before) return;  // a SplittableTask may keep all
    ++shared_count_;
    count_hungry(network_is_hungry_, false);
    something_common_.notify_all();
  }

  /// Takes its part of what is common, which `takers` threads want. With the lock.
  void take_common(Worker& worker, int takers) {
    const auto parts = static_cast<std::size_t>(std::max(1, takers));
    const std::size_t count = (common_.size() + parts - 1) / parts;
    worker.stack.take_all(std::span(common_).last(count));
    common_.erase(common_.end() - static_cast<std::ptrdiff_t>(count), common_.end());
  }

  /// Calls `call`, which is local: what it throws ends the run on all ranks.
  template <typename Call>
  void guard(Worker& worker, Call call, const char* what = "moving tasks") {
    if (const auto error = cairn::detail::error_of(call)) {
      worker.stack.clear();
      const auto failed = is_request(error->code()) ? "" : std::string(what) + " failed: ";
      fail(Error(error->code(), failed + error->what()));
    }
  }

  void fail(Error error) {
    const Lock lock(mutex_);
    is_dropped_ = true;
    common_.clear();
    if (!error_) error_.emplace(std::move(error));
  }

  // --- threads beside the first ------------------------------------------------------------

  void help(Worker& worker) {
    bool is_over = false;
    while (!is_over) {
      guard(worker, [&] {
        is_over = !wait_for_work(worker);
        while (!worker.stack.empty() && !is_pausing_.load(std::memory_order_relaxed))
          work(worker, least_between_looks);
      });
    }
  }

  /// False: there will be none.
  bool wait_for_work(Worker& worker) {
    Lock lock(mutex_);
    ++idle_helpers_;
    ++hungry_;
    const auto is_time = [&] { return is_over_ || (!common_.empty() && !is_pausing_); };
    for (unsigned turn = 0; turn < looks + yields && !is_time(); ++turn) {
      lock.unlock();
      if (turn >= looks) std::this_thread::yield();
      lock.lock();
    }
    something_common_.wait(lock, is_time);
    const int takers = hungry_--;
    --idle_helpers_;
    if (!is_over_) take_common(worker, takers);
    return !is_over_;
  }

  // --- the first thread, which also talks to other ranks ------------------------------------

  void lead(Worker& worker) {
    unsigned idle_turns = 0;
    while (!network_.is_over()) {
      if (!is_pausing_) {
        guard(worker, [&] {
          if (worker.stack.empty()) try_common(worker);
          work_timed(worker);
        });
        if (wants_pause(worker)) network_.pause();
      }
      const bool is_heard = look(worker);
      if (error_is_new()) network_.give_up();
      if (network_.is_given_up()) drop(worker);
      if (network_.is_pausing()) is_pausing_ = true;
      const bool does_nothing = worker.stack.empty() || is_pausing_;
      count_hungry(lead_is_hungry_, does_nothing && !is_pausing_);
      idle_turns = does_nothing && !is_heard ? idle_turns + 1 : 0;
      rest(idle_turns);
      if (idle_turns > 0) telemetry_.spent(state_at_network(worker));
      if (telemetry_.is_due())
        guard(
            worker, [&] { telemetry_.beat(tasks_at_hand(worker)); }, "pulse");
    }
  }

  [[nodiscard]] bool wants_pause(Worker& worker) {
    const RankLook rank{worker.tasks() * workers_.size(),
                        worker.stack.empty() && stillness() == std::size_t{0}};
    bool wants = false;
    guard(
        worker, [&] { wants = pause_(rank); }, "pause");
    return wants;
  }

  void work_timed(Worker& worker) {
    const auto before = worker.tasks();
    const auto begin = telemetry_.now();
    work(worker, between_looks_);
    if (const auto done = worker.tasks() - before; done > 0) {
      telemetry_.spent(PoolState::work);
      seconds_per_task_.store(seconds_of(telemetry_.now() - begin) / static_cast<double>(done),
                              std::memory_order_relaxed);
    }
  }

  [[nodiscard]] PoolState state_at_network(const Worker& worker) const noexcept {
    if (!worker.stack.empty() && !is_pausing_) return PoolState::poll;
    return network_.is_asking() ? PoolState::search : PoolState::idle;
  }

  [[nodiscard]] std::uint64_t tasks_at_hand(const Worker& worker) {
    const Lock lock(mutex_);
    return worker.stack.size() + common_.size();
  }

  /// At the network. Whether something has come.
  bool look(Worker& worker) {
    const auto state = state_at_network(worker);
    const auto begin = telemetry_.now();
    const bool is_heard = network_.progress(*this);
    telemetry_.spent(state);
    if (state == PoolState::poll && !is_heard)
      between_looks_ = std::clamp<Clock::duration>(share_of_looks * (telemetry_.now() - begin),
                                                   least_between_looks, longest_between_looks);
    return is_heard;
  }

  void stop_waiting() {
    const Lock lock(mutex_);
    is_over_ = true;
    something_common_.notify_all();
  }

  void try_common(Worker& worker) {
    const Lock lock(mutex_);
    if (common_.empty()) return;
    take_common(worker, hungry_);
    count_hungry(lead_is_hungry_, false);
  }

  [[nodiscard]] bool error_is_new() {
    return is_dropped_.load(std::memory_order_relaxed) && !network_.is_given_up();
  }

  void drop(Worker& worker) {
    worker.stack.clear();
    const Lock lock(mutex_);
    is_dropped_ = true;
    common_.clear();
  }

  /// Between two looks at the network, of a thread that has looked in vain so often.
  void rest(unsigned turns) {
    if (turns <= looks) return;
    if (turns <= looks + yields) {
      nap_ = shortest_nap;
      return std::this_thread::yield();
    }
    Lock lock(mutex_);
    something_common_.wait_for(lock, nap_, [&] { return !common_.empty() && !is_pausing_; });
    ++naps_;
    nap_ = std::min(nap_ + nap_ / naps_waited, longest_nap);
  }

  // --- the network's view of this rank --------------------------------------------------------

  void withdraw(std::size_t most_bytes, std::vector<std::byte>& out) override {
    guard(workers_[0], [&] {
      auto tasks = spare(std::max<std::size_t>(1, most_bytes / bytes_per_task_));
      std::vector<std::byte> bytes;  // all of them, or none
      const auto [count, largest] = pack_tasks(std::span<const T>(tasks), most_bytes, bytes);
      workers_[0].stack.take_all(std::span(tasks).subspan(count));  // there was no room for these
      if (largest > std::min(stealing_.largest_task_bytes, most_message_bytes)) {
        return fail(Error(Errc::usage, "a task of " + std::to_string(largest) +
                                           " bytes is larger than a message can be"));
      }
      if (count > 0) bytes_per_task_ = std::max<std::size_t>(1, bytes.size() / count);
      out = std::move(bytes);
    });
  }

  [[nodiscard]] std::vector<T> spare(std::size_t most) {
    std::vector<T> tasks;
    if (is_worth_sharing(workers_[0].stack.size())) workers_[0].stack.split(most, tasks);
    if (tasks.empty()) {
      const Lock lock(mutex_);
      if (common_.size() == 1) {
        tasks.swap(common_);
      } else if (!common_.empty()) {
        common_.resize(split_tasks(std::span(common_), most, tasks));
      }
      if (tasks.empty()) count_hungry(network_is_hungry_, true);
    }
    return tasks;
  }

  /// By what the last tasks have taken.
  [[nodiscard]] bool is_worth_sharing(std::size_t tasks) const noexcept {
    const double seconds_per_task = seconds_per_task_.load(std::memory_order_relaxed);
    return loadbalance::is_worth_sharing(1e6 * seconds_per_task * static_cast<double>(tasks),
                                         stealing_);
  }

  void deposit(std::span<const std::byte> tasks) override {
    guard(workers_[0], [&] { unpack_tasks<T>(tasks, workers_[0].stack); });
  }

  std::optional<std::size_t> stillness() override {
    const auto mine = workers_[0].stack.size();
    if (mine > 0 && !is_pausing_) return std::nullopt;
    const Lock lock(mutex_);
    if (idle_helpers_ != helpers_ || (!common_.empty() && !is_pausing_)) return std::nullopt;
    std::size_t tasks = common_.size();
    for (const auto& worker : workers_) tasks += worker.stack.size();
    return tasks;
  }

  /// Counts who was not counted, or the other way round.
  void count_hungry(bool& is_counted, bool is_hungry) {
    if (is_hungry == std::exchange(is_counted, is_hungry)) return;
    hungry_ += is_hungry ? 1 : -1;
  }

  StealNetwork& network_;
  Pause& pause_;
  PoolTelemetry telemetry_;
  StealOptions stealing_;
  /// Of the first thread; tasks of which nothing is known are worth to be shared.
  std::atomic<double> seconds_per_task_{1};
  std::size_t bytes_per_task_ = sizeof(T);  // of those that went last
  std::deque<Worker> workers_;              // [0] is the caller's thread's
  std::size_t helpers_ = 0;
  std::atomic<int> hungry_{0};  // threads that wait, and the network
  std::atomic<bool> is_dropped_{false};
  std::atomic<bool> is_pausing_{false};
  bool lead_is_hungry_ = false;  // this and the next: of the first thread alone
  Clock::duration between_looks_ = least_between_looks;
  std::chrono::nanoseconds nap_ = shortest_nap;  // the next one
  std::uint64_t naps_ = 0;

  std::mutex mutex_;  // of all below
  std::condition_variable something_common_;
  std::vector<T> common_;
  std::size_t idle_helpers_ = 0;
  std::uint64_t shared_count_ = 0;
  bool network_is_hungry_ = false;
  bool is_over_ = false;
  std::optional<Error> error_;
};

}  // namespace detail

}  // namespace cairn::loadbalance
