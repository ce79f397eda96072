/// Three TLA+ models of tlaplus/Examples, "transaction_commit" (Lamport; Gray and Lamport), action
/// by action, to calibrate the explorer: TLC's counts of their states are published.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "cairn/transport/draws.hpp"

namespace published {

using cairn::transport::mixed;

enum Rm : std::uint8_t { working, prepared, committed, aborted };

/// TCommit.tla with 3 resource managers: 34 states.
struct TCommit {
  using State = std::array<std::uint8_t, 3>;

  template <typename Visit>
  void initial(Visit&& visit) const {
    visit(State{});
  }
  template <typename Visit>
  void successors(const State& s, Visit&& visit) const {
    bool can_commit = true;
    bool none_committed = true;
    for (const auto rm : s) {
      can_commit &= rm == prepared || rm == committed;
      none_committed &= rm != committed;
    }
    const auto set = [&](std::size_t r, Rm to) {
      auto next = s;
      next[r] = to;
      visit(next);
    };
    for (std::size_t r = 0; r < 3; ++r) {
      if (s[r] == working) set(r, prepared);
      if (s[r] == prepared && can_commit) set(r, committed);
      if ((s[r] == working || s[r] == prepared) && none_committed) set(r, aborted);
    }
  }
  static std::uint64_t fingerprint(const State& s) {
    return mixed(1 + s[0] + 4 * s[1] + 16 * s[2]);
  }
  static std::string check(const State& s) {
    bool any_committed = false;
    bool any_aborted = false;
    for (const auto rm : s) {
      any_committed |= rm == committed;
      any_aborted |= rm == aborted;
    }
    return any_committed && any_aborted ? "TCConsistent" : "";
  }
};

/// TwoPhase.tla with 3 resource managers: 288 states.
struct TwoPhase {
  struct State {
    TCommit::State rm{};
    bool tm_done = false;
    std::uint8_t tm_prepared = 0;  // set of resource managers
    std::uint8_t messages = 0;     // bit r: Prepared from r; bit 6: Commit; bit 7: Abort
  };
  static constexpr std::uint8_t commit = 64;
  static constexpr std::uint8_t abort = 128;

  template <typename Visit>
  void initial(Visit&& visit) const {
    visit(State{});
  }
  template <typename Visit>
  void successors(const State& s, Visit&& visit) const {
    const auto with = [&](auto change) {
      auto next = s;
      change(next);
      visit(next);
    };
    if (!s.tm_done && s.tm_prepared == 7)
      with([](State& n) { n.tm_done = true, n.messages |= commit; });
    if (!s.tm_done) with([](State& n) { n.tm_done = true, n.messages |= abort; });
    for (std::size_t r = 0; r < 3; ++r) {
      const auto bit = static_cast<std::uint8_t>(1U << r);
      if (!s.tm_done && (s.messages & bit) != 0) with([&](State& n) { n.tm_prepared |= bit; });
      if (s.rm[r] == working) {
        with([&](State& n) { n.rm[r] = prepared, n.messages |= bit; });
        with([&](State& n) { n.rm[r] = aborted; });
      }
      if ((s.messages & commit) != 0) with([&](State& n) { n.rm[r] = committed; });
      if ((s.messages & abort) != 0) with([&](State& n) { n.rm[r] = aborted; });
    }
  }
  static std::uint64_t fingerprint(const State& s) {
    return mixed(TCommit::fingerprint(s.rm) + (s.tm_done ? 1U << 20 : 0U) + s.tm_prepared * 256U +
                 s.messages);
  }
  static std::string check(const State& s) { return TCommit::check(s.rm); }
};

/// PaxosCommit.tla with 2 resource managers, 3 acceptors, ballots {0, 1}: 1,321,761 states, depth
/// 28. `quorum` 2 is the published configuration; 1 makes majorities that need not meet.
struct PaxosCommit {
  enum Value : std::uint8_t { val_prepared, val_aborted, val_none };
  struct Acceptor {
    std::uint8_t mbal = 0;
    std::uint8_t bal = 0;  // TLA+'s ballot plus one: 0 is -1
    std::uint8_t val = val_none;
  };
  struct State {
    std::array<std::uint8_t, 2> rm{};
    std::array<std::array<Acceptor, 3>, 2> acceptor{};
    std::array<std::uint64_t, 2> messages{};
  };
  int quorum = 2;

  // One bit for each possible message.
  static int phase1a(int rm) { return rm; }
  static int phase1b(int rm, int bal, int val, int acc) {
    return 2 + ((rm * 3 + bal) * 3 + val) * 3 + acc;
  }
  static int phase2a(int rm, int bal, int val) { return 56 + (rm * 2 + bal) * 2 + val; }
  static int phase2b(int rm, int bal, int val, int acc) {
    return 64 + ((rm * 2 + bal) * 2 + val) * 3 + acc;
  }
  static constexpr int commit = 88;
  static constexpr int abort = 89;
  static bool has(const State& s, int m) { return (s.messages[m / 64] >> m % 64 & 1) != 0; }
  static void send(State& s, int m) { s.messages[m / 64] |= std::uint64_t{1} << m % 64; }

  template <typename Visit>
  void initial(Visit&& visit) const {
    visit(State{});
  }

  template <typename Visit>
  void successors(const State& s, Visit&& visit) const {
    for (int r = 0; r < 2; ++r) {
      resource_manager(s, r, visit);
      leader(s, r, visit);
      for (int acc = 0; acc < 3; ++acc) acceptor(s, r, acc, visit);
    }
    decide(s, visit);
  }

  static std::uint64_t fingerprint(const State& s) {
    std::uint64_t rest = s.rm[0] * 4U + s.rm[1];
    for (const auto& instance : s.acceptor)
      for (const auto& a : instance) rest = rest * 18 + (a.mbal * 3U + a.bal) * 3U + a.val;
    return mixed(mixed(mixed(rest + 1) ^ s.messages[0]) + s.messages[1]);
  }
  static std::string check(const State& s) { return TCommit::check({s.rm[0], s.rm[1], working}); }

 private:
  template <typename Visit>
  static void with_rm(const State& s, int r, Rm to, int message, Visit&& visit) {
    auto next = s;
    next.rm[r] = to;
    if (message >= 0) send(next, message);
    visit(next);
  }
  template <typename Visit>
  static void with(const State& s, int message, Visit&& visit) {
    auto next = s;
    send(next, message);
    visit(next);
  }

  template <typename Visit>
  static void resource_manager(const State& s, int r, Visit&& visit) {
    if (s.rm[r] == working) {
      with_rm(s, r, prepared, phase2a(r, 0, val_prepared), visit);
      with_rm(s, r, aborted, phase2a(r, 0, val_aborted), visit);
    }
    if (has(s, commit)) with_rm(s, r, committed, -1, visit);
    if (has(s, abort)) with_rm(s, r, aborted, -1, visit);
  }

  /// Phase1a and Phase2a at ballot 1.
  template <typename Visit>
  void leader(const State& s, int r, Visit&& visit) const {
    with(s, phase1a(r), visit);
    if (has(s, phase2a(r, 1, val_prepared)) || has(s, phase2a(r, 1, val_aborted))) return;
    for (int set = 1; set < 8; ++set)
      if (__builtin_popcount(static_cast<unsigned>(set)) == quorum) phase_2a(s, r, set, visit);
  }
  template <typename Visit>
  static void phase_2a(const State& s, int r, int set, Visit&& visit) {
    int best = 0;
    int value = val_aborted;
    for (int acc = 0; acc < 3; ++acc) {
      if ((set >> acc & 1) == 0) continue;
      bool answered = false;
      for (int bal = 0; bal < 3; ++bal)
        for (int val = 0; val < 3; ++val) {
          if (!has(s, phase1b(r, bal, val, acc))) continue;
          answered = true;
          if (bal > best) best = bal, value = val;
        }
      if (!answered) return;
    }
    with(s, phase2a(r, 1, value), visit);
  }

  template <typename Visit>
  static void acceptor(const State& s, int r, int acc, Visit&& visit) {
    const auto old = s.acceptor[r][acc];
    if (has(s, phase1a(r)) && old.mbal < 1) {
      auto next = s;
      next.acceptor[r][acc].mbal = 1;
      send(next, phase1b(r, old.bal, old.val, acc));
      visit(next);
    }
    for (std::uint8_t bal = old.mbal; bal < 2; ++bal)
      for (std::uint8_t val = 0; val < 2; ++val) {
        if (!has(s, phase2a(r, bal, val))) continue;
        auto next = s;
        next.acceptor[r][acc] = {bal, static_cast<std::uint8_t>(bal + 1), val};
        send(next, phase2b(r, bal, val, acc));
        visit(next);
      }
  }

  template <typename Visit>
  void decide(const State& s, Visit&& visit) const {
    const auto decided = [&](int r, int val) {
      for (int bal = 0; bal < 2; ++bal) {
        int accepted = 0;
        for (int acc = 0; acc < 3; ++acc) accepted += has(s, phase2b(r, bal, val, acc)) ? 1 : 0;
        if (accepted >= quorum) return true;
      }
      return false;
    };
    if (decided(0, val_prepared) && decided(1, val_prepared)) with(s, commit, visit);
    if (decided(0, val_aborted) || decided(1, val_aborted)) with(s, abort, visit);
  }
};

}  // namespace published
