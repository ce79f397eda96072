#include "cairn/consensus/raft_simulation.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace cairn::consensus {

namespace {

constexpr std::uint16_t heal_everything_ticks = 40;

std::string_view name_of(RaftMessage::Kind kind) {
  using Kind = RaftMessage::Kind;
  switch (kind) {
    case Kind::pre_vote:
      return "pre-vote";
    case Kind::pre_vote_reply:
      return "pre-vote reply";
    case Kind::vote:
      return "vote";
    case Kind::vote_reply:
      return "vote reply";
    case Kind::append:
      return "append";
    case Kind::append_reply:
      return "append reply";
    case Kind::snapshot:
      return "snapshot";
    case Kind::timeout_now:
      return "timeout now";
  }
  return "?";
}

/// A node with its disk.
struct Node {
  explicit Node(const Raft& fresh) : machine(fresh) {}

  Raft machine;
  RaftDurable disk = {};
  struct Write {
    RaftDurable durable;
    std::uint64_t token;
  };
  std::vector<Write> writing;  // not durable yet, oldest first
  struct Held {
    std::uint64_t token;
    RaftOutput::Sent sent;
  };
  std::vector<Held> held;  // until that token is durable
  bool up = true;
  std::uint64_t paused_until = 0;
};

struct Flying {
  NodeIndex from;
  NodeIndex to;
  RaftMessage message;
};

class Simulation {
 public:
  explicit Simulation(const RaftSchedule& schedule) : schedule_(schedule), random_(schedule.seed) {
    draw_rates();
    for (std::size_t i = 0; i < all_nodes(); ++i) {
      nodes_.push_back(Node(Raft(options(static_cast<NodeIndex>(i)), {})));
    }
    applied_.push_back({0, 0});
  }

  RaftVerdict run() {
    while (verdict_.steps < schedule_.fault_steps && good()) faulty_step();
    if (good()) healed_phase();
    return std::move(verdict_);
  }

 private:
  struct Applied {
    std::uint64_t digest;
    std::uint64_t term;
  };

  [[nodiscard]] bool good() const { return verdict_.violation.empty(); }
  [[nodiscard]] std::size_t all_nodes() const {
    return std::min(schedule_.nodes + (with_changes_ ? 2 : 0), most_nodes);
  }
  [[nodiscard]] RaftOptions options(NodeIndex self) const {
    return {.self = self,
            .voters = NodeSet::first(schedule_.nodes),
            .seed = raft_mix(schedule_.seed, self + 1U),
            .mutant = schedule_.mutant};
  }

  std::uint64_t below(std::uint64_t limit) {
    random_ = raft_mix(random_, 7);
    return (random_ >> 11) % limit;
  }
  bool chance(unsigned per_mille) { return below(1000) < per_mille; }

  /// Each schedule has faults of its own (swarm testing: Groce et al., ISSTA 2012).
  void draw_rates() {
    const auto rate = [&](unsigned most) {
      return chance(300) ? 0U : static_cast<unsigned>(below(most + 1));
    };
    lose_ = rate(200);
    double_ = rate(100);
    crash_ = rate(30);
    land_ = rate(1000);
    pause_ = rate(10);
    partition_ = rate(10);
    slow_disk_ = rate(900);
    propose_ = 20 + rate(100);
    transfer_ = rate(10);
    with_changes_ = chance(400);
    change_ = with_changes_ ? 5 + rate(30) : 0;
    tick_ = 200 + rate(800);
  }

  template <typename... Words>
  void say(const Words&... words) {
    if (!schedule_.trace) return;
    std::string line = std::to_string(verdict_.steps) + " ";
    const auto add = [&](const auto& word) {
      if constexpr (std::is_arithmetic_v<std::decay_t<decltype(word)>>) {
        line += std::to_string(word);
      } else {
        line += word;
      }
    };
    (add(words), ...);
    schedule_.trace(line);
  }

  void fail(const std::string& what) {
    if (!good()) return;
    verdict_.violation = what;
    say("VIOLATION ", what);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const auto& machine = nodes_[i].machine;
      const auto& log = machine.log();
      say("node ", i, " term ", machine.term(), " log ", log.first(), "-", log.last(), " last term ",
          log.last_term(), " commit ", machine.commit(), " voters ",
          machine.membership().voters.bits(), " leaving ", machine.membership().leaving.bits(),
          nodes_[i].up ? " up" : " down");
    }
  }

  // --- one call of a machine, and what it asked for ---

  template <typename Call>
  void call(NodeIndex at, Call&& work) {
    out_.clear();
    work(nodes_[at].machine, out_);
    settle(at);
  }

  void settle(NodeIndex at) {
    auto& node = nodes_[at];
    if (out_.persist) node.writing.push_back({*out_.persist, out_.token});
    for (const auto& sent : out_.now) post(at, sent);
    for (const auto& sent : out_.after_persist) node.held.push_back({out_.token, sent});
    for (const auto& event : out_.events) judge(at, event);
    judge_applied(at);
    if (node.machine.is_broken()) fail("node " + std::to_string(at) + " has seen what cannot be");
  }

  void post(NodeIndex from, const RaftOutput::Sent& sent) {
    if (sent.to < nodes_.size()) flying_.push_back({from, sent.to, sent.message});
  }

  void complete_write(NodeIndex at) {
    auto& node = nodes_[at];
    if (node.writing.empty()) return;
    const auto token = node.writing.front().token;
    node.disk = node.writing.front().durable;
    node.writing.erase(node.writing.begin());
    std::vector<Node::Held> held;
    std::swap(held, node.held);
    for (auto& each : held) {
      if (each.token <= token) {
        post(at, each.sent);
      } else {
        node.held.push_back(each);
      }
    }
    say("node ", int{at}, " has written ", token);
    call(at, [&](Raft& machine, RaftOutput& out) { machine.persisted(token, out); });
  }

  // --- judging ---

  void judge(NodeIndex at, const RaftEvent& event) {
    if (event.kind == RaftEvent::Kind::leader) {
      say("node ", int{at}, " leads term ", event.term);
      ++verdict_.leaders;
      const auto [known, is_new] = leaders_.try_emplace(event.term, at);
      if (!is_new && known->second != at)
        fail("two leaders of term " + std::to_string(event.term));
      judge_completeness(at);
    }
    if (event.kind == RaftEvent::Kind::committed &&
        event.entry.kind == RaftEntry::Kind::membership && event.index + 1 > applied_.size() &&
        !event.entry.membership.is_joint())
      ++verdict_.changes;
  }

  void judge_completeness(NodeIndex at) {
    const auto& log = nodes_[at].machine.log();
    const auto last = applied_.size() - 1;
    if (log.last() < last || (log.has(last) && log.term_at(last) != applied_[last].term))
      fail("leader " + std::to_string(at) + " lacks entry " + std::to_string(last) +
           ", which was applied");
  }

  /// What the node has applied is what others have, and new things stand on a quorum of disks.
  void judge_applied(NodeIndex at) {
    const auto& machine = nodes_[at].machine;
    const auto index = machine.applied();
    if (index < applied_.size()) {
      if (index != 0 && applied_[index].digest != 0 && applied_[index].digest != machine.digest())
        fail("node " + std::to_string(at) + " has applied another entry at or before " +
             std::to_string(index));
      return;
    }
    while (applied_.size() < index) applied_.push_back({0, 0});  // in between: not looked at
    applied_.push_back({machine.digest(), machine.log().term_at(index)});
    verdict_.committed = index;
    judge_durability(index, machine.log().term_at(index), machine.membership());
  }

  void judge_durability(std::uint64_t index, std::uint64_t term, const RaftMembership& membership) {
    NodeSet holders;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const auto& log = nodes_[i].disk.log;
      if (log.snapshot().index > index || log.matches(index, term))
        holders.insert(static_cast<NodeIndex>(i));
    }
    const auto majority = [&](NodeSet of) { return 2 * (holders & of).size() > of.size(); };
    // During a change the set that decided may be the one before or after: one of them must hold.
    if (!majority(membership.voters) && !(membership.is_joint() && majority(membership.leaving)) &&
        !was_changing_)
      fail("entry " + std::to_string(index) + " is applied and not durable on a quorum");
  }

  // --- the first phase ---

  void faulty_step() {
    ++verdict_.steps;
    const auto at = static_cast<NodeIndex>(below(nodes_.size()));
    auto& node = nodes_[at];
    if (chance(crash_)) node.up ? crash(at) : restart(at);
    if (chance(partition_)) cut();
    if (chance(pause_)) node.paused_until = verdict_.steps + below(200);
    if (!node.up && chance(50)) restart(at);
    if (node.up && node.paused_until <= verdict_.steps) {
      if (chance(tick_)) tick(at);
      if (!node.writing.empty() && !chance(slow_disk_)) complete_write(at);
      ask(at);
    }
    deliver_some();
  }

  void tick(NodeIndex at) {
    call(at, [](Raft& machine, RaftOutput& out) { machine.tick(out); });
  }

  /// Requests go to anybody who thinks that it leads.
  void ask(NodeIndex at) {
    if (nodes_[at].machine.role() != Raft::Role::leader) return;
    if (chance(propose_)) {
      say("node ", int{at}, " is asked for command ", next_command_);
      call(at, [&](Raft& machine, RaftOutput& out) {
        (void)machine.propose({next_command_++, at}, out);
      });
    }
    if (chance(transfer_)) {
      const auto heir = static_cast<NodeIndex>(below(nodes_.size()));
      call(at, [&](Raft& machine, RaftOutput& out) { (void)machine.transfer(heir, out); });
    }
    if (change_ != 0 && chance(change_)) change(at);
  }

  void change(NodeIndex at) {
    NodeSet voters;
    const auto most = std::min(all_nodes(), schedule_.nodes + 2);
    while (voters.size() < std::max<std::size_t>(1, std::min<std::size_t>(3, schedule_.nodes)))
      voters.insert(static_cast<NodeIndex>(below(most)));
    bool begun = false;
    call(at, [&](Raft& machine, RaftOutput& out) { begun = machine.change(voters, out); });
    was_changing_ = was_changing_ || begun;
    if (begun) say("node ", int{at}, " begins a change of voters");
  }

  void crash(NodeIndex at) {
    auto& node = nodes_[at];
    say("node ", int{at}, " crashes");
    ++verdict_.crashes;
    node.up = false;
    // Writes may have landed without having been told.
    while (!node.writing.empty() && chance(land_)) {
      node.disk = node.writing.front().durable;
      node.writing.erase(node.writing.begin());
    }
    verdict_.lost_writes += node.writing.size();
    node.writing.clear();
    node.held.clear();
  }

  void restart(NodeIndex at) {
    auto& node = nodes_[at];
    say("node ", int{at}, " restarts");
    node.up = true;
    auto fresh = options(at);
    fresh.seed = raft_mix(fresh.seed, verdict_.steps);
    node.machine = Raft(fresh, node.disk);
    judge_applied(at);
  }

  /// Cuts links in one direction or both, or heals all.
  void cut() {
    if (chance(400)) {
      blocked_.clear();
      say("all links heal");
      return;
    }
    const auto one = static_cast<NodeIndex>(below(nodes_.size()));
    const bool inward = chance(700);
    const bool outward = !inward || chance(600);
    for (NodeIndex other = 0; other < nodes_.size(); ++other) {
      if (other == one || chance(200)) continue;
      if (inward) blocked_[{other, one}] = true;
      if (outward) blocked_[{one, other}] = true;
    }
    say("node ", int{one}, " is cut off");
  }

  [[nodiscard]] bool is_blocked(const Flying& flying) const {
    const auto found = blocked_.find({flying.from, flying.to});
    return found != blocked_.end() && found->second;
  }

  void deliver_some() {
    const auto count = below(4);
    for (std::uint64_t i = 0; i < count && !flying_.empty() && good(); ++i) {
      // Anyone: out of order.
      const auto which = static_cast<std::ptrdiff_t>(below(flying_.size()));
      const Flying flying = flying_[static_cast<std::size_t>(which)];
      if (chance(double_)) {
        say("message doubled");
      } else {
        flying_[static_cast<std::size_t>(which)] = flying_.back();
        flying_.pop_back();
      }
      if (chance(lose_) || is_blocked(flying)) {
        ++verdict_.lost_messages;
        continue;
      }
      deliver(flying);
    }
    while (flying_.size() > most_flying) {
      flying_.erase(flying_.begin());
      ++verdict_.lost_messages;
    }
  }

  void deliver(const Flying& flying) {
    auto& node = nodes_[flying.to];
    if (!node.up) return;
    const auto& message = flying.message;
    say(name_of(message.kind), message.accepted ? " yes" : "", " ", int{flying.from}, " -> ",
        int{flying.to}, " term ", message.term, " index ", message.index, " entries ",
        message.entries.size());
    call(flying.to,
         [&](Raft& machine, RaftOutput& out) { machine.step(flying.from, message, out); });
  }

  // --- the second phase ---

  void healed_phase() {
    say("all heals");
    blocked_.clear();
    for (NodeIndex at = 0; at < nodes_.size(); ++at) {
      nodes_[at].paused_until = 0;
      if (!nodes_[at].up) restart(at);
    }
    std::uint64_t wanted = 0;
    for (std::uint32_t t = 0; t < schedule_.healed_ticks && good(); ++t) {
      for (NodeIndex at = 0; at < nodes_.size() && good(); ++at) tick(at);
      drain();
      if (!good()) return;
      if (t >= heal_everything_ticks && wanted == 0) wanted = propose_anywhere();
      if (wanted != 0 && all_applied(wanted)) return;
      // A leader may have changed after it took the command.
      if (t % 100 == 99) wanted = propose_anywhere();
    }
    fail("after all healed a new command was not applied everywhere");
  }

  void drain() {
    for (int round = 0; round < 12 && good(); ++round) {
      for (NodeIndex at = 0; at < nodes_.size() && good(); ++at) complete_write(at);
      auto all = std::exchange(flying_, {});
      for (const auto& flying : all)
        if (good()) deliver(flying);
    }
  }

  std::uint64_t propose_anywhere() {
    std::optional<std::uint64_t> index;
    for (NodeIndex at = 0; at < nodes_.size() && !index; ++at) {
      if (nodes_[at].machine.role() != Raft::Role::leader) continue;
      call(at, [&](Raft& machine, RaftOutput& out) {
        index = machine.propose({next_command_++, at}, out);
      });
    }
    return index.value_or(0);
  }

  /// By the voters; others may be out of touch.
  [[nodiscard]] bool all_applied(std::uint64_t index) const {
    NodeSet voters;
    for (const auto& node : nodes_)
      if (node.machine.role() == Raft::Role::leader) voters = node.machine.membership().all();
    if (voters.empty()) return false;
    for (NodeIndex at = 0; at < nodes_.size(); ++at)
      if (voters.contains(at) && nodes_[at].machine.applied() < index) return false;
    return true;
  }

  static constexpr std::size_t most_flying = 200;

  const RaftSchedule& schedule_;
  std::uint64_t random_;
  unsigned lose_ = 0, double_ = 0, crash_ = 0, land_ = 0, pause_ = 0, partition_ = 0;
  unsigned slow_disk_ = 0, propose_ = 0, transfer_ = 0, change_ = 0, tick_ = 0;
  bool with_changes_ = false;
  bool was_changing_ = false;
  std::vector<Node> nodes_;
  std::vector<Flying> flying_;
  std::map<std::pair<NodeIndex, NodeIndex>, bool> blocked_;
  std::map<std::uint64_t, NodeIndex> leaders_;
  std::vector<Applied> applied_;  // per index; digest 0: not looked at
  std::uint64_t next_command_ = 1;
  RaftOutput out_;
  RaftVerdict verdict_;
};

}  // namespace

RaftVerdict simulate(const RaftSchedule& schedule) { return Simulation(schedule).run(); }

}  // namespace cairn::consensus
