#include "cairn/consensus/claim.hpp"

#include <sys/random.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "process_identity.hpp"

namespace cairn::consensus {

namespace {

using nlohmann::json;

constexpr std::string_view magic = "cairn-incarnation ";
constexpr std::string_view version = "1";

[[noreturn]] void damaged(const std::string& what) { throw Error(Errc::bad_data, what); }

std::string digest_of(std::string_view text) {
  const auto digest = XXH3_128bits(text.data(), text.size());
  std::array<char, 33> hex{};
  std::snprintf(hex.data(), hex.size(), "%016llx%016llx",
                static_cast<unsigned long long>(digest.high64),
                static_cast<unsigned long long>(digest.low64));
  return hex.data();
}

std::string random_nonce() {
  std::array<unsigned char, 16> bytes{};
  check_posix(::getrandom(bytes.data(), bytes.size(), 0), "getrandom");
  std::string text;
  for (const auto byte : bytes) {
    std::array<char, 3> hex{};
    std::snprintf(hex.data(), hex.size(), "%02x", byte);
    text += hex.data();
  }
  return text;
}

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::string_view name_of(Claimant::Kind kind) {
  switch (kind) {
    case Claimant::Kind::launch:
      return "launch";
    case Claimant::Kind::tool:
      return "tool";
    case Claimant::Kind::by_operator:
      return "operator";
  }
  return "launch";
}

Claimant::Kind kind_named(const std::string& name) {
  for (const auto kind :
       {Claimant::Kind::launch, Claimant::Kind::tool, Claimant::Kind::by_operator}) {
    if (name == name_of(kind)) return kind;
  }
  damaged("it is of a claimant of another kind");
}

json owner_json(const Claimant& owner) {
  return {{"kind", name_of(owner.kind)},
          {"nonce", owner.nonce},
          {"host", owner.host},
          {"boot", owner.boot},
          {"pid_namespace", owner.pid_namespace},
          {"pid", owner.pid},
          {"start_ticks", owner.start_ticks},
          {"launched", owner.launched},
          {"supervisor", owner.supervisor},
          {"launch", owner.launch},
          {"scheduler", owner.scheduler},
          {"cluster", owner.cluster},
          {"scheduler_job", owner.scheduler_job},
          {"scheduler_restarts", owner.scheduler_restarts},
          {"nodes", owner.nodes}};
}

Claimant owner_from(const json& entry) {
  return {.kind = kind_named(entry.at("kind").get<std::string>()),
          .nonce = entry.at("nonce"),
          .host = entry.at("host"),
          .boot = entry.at("boot"),
          .pid_namespace = entry.at("pid_namespace"),
          .pid = entry.at("pid"),
          .start_ticks = entry.at("start_ticks"),
          .launched = entry.at("launched"),
          .supervisor = entry.at("supervisor"),
          .launch = entry.at("launch"),
          .scheduler = entry.at("scheduler"),
          .cluster = entry.at("cluster"),
          .scheduler_job = entry.at("scheduler_job"),
          .scheduler_restarts = entry.at("scheduler_restarts"),
          .nodes = entry.at("nodes").get<std::vector<std::string>>()};
}

json claim_json(const Claim& claim) {
  json root{{"incarnation", claim.incarnation}, {"owner", owner_json(claim.owner)}};
  if (!claim.honoured) return root;
  root["honoured"] = json::array();
  for (const auto& each : *claim.honoured)
    root["honoured"].push_back({{"incarnation", each.incarnation}, {"epoch", each.epoch}});
  const auto parent = claim.parent();
  root["parent"] = parent ? root["honoured"].back() : json();
  return root;
}

Claim claim_from(const json& root) {
  Claim claim;
  claim.incarnation = root.at("incarnation");
  claim.owner = owner_from(root.at("owner"));
  if (!root.contains("honoured")) return claim;
  claim.honoured.emplace();
  for (const auto& each : root.at("honoured"))
    claim.honoured->push_back({each.at("incarnation"), each.at("epoch")});
  return claim;
}

}  // namespace

Claimant this_process(Claimant::Kind kind) {
  Claimant claimant{.kind = kind,
                    .nonce = random_nonce(),
                    .host = host_name(),
                    .boot = boot_id(),
                    .pid_namespace = pid_namespace(),
                    .pid = ::getpid(),
                    .start_ticks = start_ticks(::getpid()).value_or(0),
                    .launched = std::time(nullptr),
                    .supervisor = variable("CAIRN_RUN"),
                    .launch = launch_number()};
  if (const auto job = variable("SLURM_JOB_ID"); !job.empty()) {
    claimant.scheduler = "slurm";
    claimant.cluster = variable("SLURM_CLUSTER_NAME");
    claimant.scheduler_job = job;
    claimant.scheduler_restarts = std::atoi(variable("SLURM_RESTART_COUNT").c_str());
  }
  return claimant;
}

std::string describe(const Claimant& claimant) {
  const auto time = static_cast<std::time_t>(claimant.launched);
  std::tm parts = {};
  ::gmtime_r(&time, &parts);
  std::array<char, 32> when{};
  std::strftime(when.data(), when.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  auto text = "process " + std::to_string(claimant.pid) + " on " + claimant.host + ", started " +
              when.data();
  if (!claimant.scheduler_job.empty())
    text += ", " + claimant.scheduler + " job " + claimant.scheduler_job;
  return text;
}

std::optional<LastEpoch> Claim::parent() const {
  if (!honoured || honoured->empty()) return std::nullopt;
  return honoured->back();
}

bool Claim::voids(const LastEpoch& record) const {
  if (record.incarnation == 0 || record.incarnation >= incarnation || !honoured) return false;
  const auto found = std::find_if(honoured->begin(), honoured->end(), [&](const LastEpoch& each) {
    return each.incarnation == record.incarnation;
  });
  return found == honoured->end() || record.epoch > found->epoch;
}

std::string claim_text(const Claim& claim) {
  // Host names and the like come from outside and may be no UTF-8.
  const auto body = claim_json(claim).dump(1, ' ', false, json::error_handler_t::replace) + "\n";
  return std::string(magic) + std::string(version) + " xxh3-128=" + digest_of(body) + "\n" + body;
}

Claim parse_claim(std::string_view text) {
  if (text.empty()) damaged("it is empty");
  if (!text.starts_with(magic)) damaged("it is not a claim");
  const auto line_end = text.find('\n');
  if (line_end == std::string_view::npos) damaged("it is truncated");
  const auto head = text.substr(magic.size(), line_end - magic.size());
  const auto body = text.substr(line_end + 1);
  const auto expected = " xxh3-128=" + digest_of(body);
  if (!head.ends_with(expected)) damaged("its checksum does not fit its contents");
  if (const auto given = head.substr(0, head.size() - expected.size()); given != version) {
    if (given.empty() || given.find_first_not_of("0123456789") != std::string_view::npos)
      damaged("its first line is malformed");
    throw Error(Errc::usage, "it has version " + std::string(given) +
                                 " of the format, which this program does not know; use a newer "
                                 "program");
  }
  try {
    return claim_from(json::parse(body));
  } catch (const json::exception& error) {
    damaged(std::string("it is malformed: ") + error.what());
  }
}

}  // namespace cairn::consensus
