#include "cairn/core/failpoint.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <thread>
#include <utility>

#include "cairn/core/error.hpp"

namespace cairn {

namespace {

// Constant-initialised, so that failpoints of any translation unit may enlist themselves during
// start-up.
constinit Failpoint* first_failpoint = nullptr;

}  // namespace

struct Failpoint::Action {
  enum class Kind { kill, stall, raise, fail };
  Kind kind = Kind::kill;
  double stall_seconds = 0;
  int error_number = 0;
  long at_hit = 0;  // 0: every hit
  std::optional<int> rank;
  std::optional<int> launch;
  std::atomic<long> hits{0};
};

Failpoint::Failpoint(const char* name) noexcept
    : name_(name), next_(std::exchange(first_failpoint, this)) {}

int Failpoint::act() {
  Action& action = *action_;
  const long hit = ++action.hits;
  if (action.at_hit != 0 && action.at_hit != hit) return 0;
  switch (action.kind) {
    case Action::Kind::kill:
      std::raise(SIGKILL);
      break;
    case Action::Kind::stall:
      std::this_thread::sleep_for(std::chrono::duration<double>(action.stall_seconds));
      break;
    case Action::Kind::raise:
      throw Error(Errc::internal, "failpoint " + std::string(name_));
    case Action::Kind::fail:
      return action.error_number;
  }
  return 0;
}

void Failpoint::check(std::string_view what) {
  if (const int error_number = hit(); error_number != 0) throw_errno(error_number, what);
}

namespace {

constexpr std::array<std::pair<std::string_view, int>, 6> errno_names{{{"EACCES", EACCES},
                                                                       {"EDQUOT", EDQUOT},
                                                                       {"EINTR", EINTR},
                                                                       {"EIO", EIO},
                                                                       {"ENOSPC", ENOSPC},
                                                                       {"EROFS", EROFS}}};

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

/// Cuts the text up to `separator` off the front of `rest`.
std::string_view cut(std::string_view& rest, char separator) {
  const auto end = std::min(rest.find(separator), rest.size());
  const auto piece = trim(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return piece;
}

[[noreturn]] void malformed(std::string_view item, std::string_view why) {
  throw Error(Errc::usage, "CAIRN_FAILPOINTS: '" + std::string(item) + "': " + std::string(why));
}

template <typename Number>
Number parse_number(std::string_view text, std::string_view item) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) {
    malformed(item, "'" + std::string(text) + "' is not a non-negative number");
  }
  return value;
}

void parse_part(std::string_view part, std::string_view item, Failpoint::Action& action) {
  using Kind = Failpoint::Action::Kind;
  const auto value_of = [&](std::string_view key) -> std::optional<std::string_view> {
    if (!part.starts_with(key)) return std::nullopt;
    return part.substr(key.size());
  };
  const auto* const named = std::find_if(errno_names.begin(), errno_names.end(),
                                         [&](const auto& entry) { return entry.first == part; });
  if (part == "kill") {
    action.kind = Kind::kill;
  } else if (part == "throw") {
    action.kind = Kind::raise;
  } else if (named != errno_names.end()) {
    action.kind = Kind::fail;
    action.error_number = named->second;
  } else if (const auto stall = value_of("stall:")) {
    action.kind = Kind::stall;
    action.stall_seconds = parse_number<double>(*stall, item);
  } else if (const auto rank = value_of("rank=")) {
    action.rank = parse_number<int>(*rank, item);
  } else if (const auto hit = value_of("hit=")) {
    action.at_hit = parse_number<long>(*hit, item);
  } else if (const auto launch = value_of("launch=")) {
    action.launch = parse_number<int>(*launch, item);
  } else {
    malformed(item,
              "'" + std::string(part) +
                  "' is none of kill, stall:S, throw, an errno name, rank=R, hit=N, launch=L");
  }
}

}  // namespace

void arm_failpoints(std::string_view spec, int rank, int launch) {
  for (auto* point = first_failpoint; point != nullptr; point = point->next_) {
    point->armed_ = false;
    point->action_.reset();
  }
  while (!spec.empty()) {
    const auto item = cut(spec, ';');
    if (item.empty()) continue;
    auto rest = item;
    const auto name = cut(rest, '=');
    auto* point = first_failpoint;
    while (point != nullptr && point->name() != name) point = point->next_;
    if (point == nullptr) {
      std::string known;
      for (const auto& each : failpoint_names()) known += " " + each;
      malformed(item, "unknown failpoint; this program has:" + known);
    }
    if (rest.empty()) malformed(item, "no action; write NAME=kill or the like");
    auto action = std::make_shared<Failpoint::Action>();
    while (!rest.empty()) parse_part(cut(rest, ','), item, *action);
    if (action->rank.value_or(rank) != rank || action->launch.value_or(launch) != launch) continue;
    point->action_ = std::move(action);
    point->armed_ = true;
  }
}

std::vector<std::string> failpoint_names() {
  std::vector<std::string> names;
  for (auto* point = first_failpoint; point != nullptr; point = point->next_) {
    names.emplace_back(point->name());
  }
  std::sort(names.begin(), names.end());
  return names;
}

int launch_number() noexcept {
  const char* text = std::getenv("CAIRN_LAUNCH");
  return text == nullptr ? 0 : std::atoi(text);
}

}  // namespace cairn
