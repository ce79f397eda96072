// cairn sim: protocols under simulated faults, thousands of schedules a second, each with a seed.

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/consensus/campaign.hpp"
#include "cairn/core/atomic_file.hpp"
#include "cairn/core/error.hpp"
#include "cairn/program/options.hpp"
#include "cairn/program/places.hpp"
#include "commands.hpp"

namespace cairn::tool {

namespace {

using consensus::Campaign;
using consensus::CampaignResult;
using consensus::Exploration;
using consensus::ExplorerSize;
using consensus::Mutant;
using consensus::Protocol;
using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct Arguments {
  std::string protocol = "commit";
  int nodes = 5;
  int acceptors = 3;
  std::uint64_t schedules = 100000;
  std::uint64_t seed = 1;
  std::string mutant;
  std::filesystem::path trace;
  bool explore = false;
  int learners = 0;
  bool fast_disks = false;
  int crashes = 0;
  int ballots = 1;
  int commands = 1;
  bool as_json = false;
};

std::string mutant_names() {
  std::string names;
  for (const auto mutant : consensus::all_mutants())
    names += (names.empty() ? "" : ", ") + std::string(name_of(mutant));
  return names;
}

Protocol protocol_of(const Arguments& arguments) {
  const auto protocol = consensus::protocol_of(arguments.protocol);
  if (!protocol)
    throw Error(Errc::usage, "unknown protocol '" + arguments.protocol + "' (paxos, commit, raft)");
  return *protocol;
}

Mutant mutant_of(const Arguments& arguments) {
  if (arguments.mutant.empty() || arguments.mutant == "none") return Mutant::none;
  const auto mutant = consensus::mutant_of(arguments.mutant);
  if (!mutant)
    throw Error(Errc::usage, "unknown mutant '" + arguments.mutant + "' (" + mutant_names() + ")");
  return *mutant;
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Where the story of `trace` is drawn; empty when it is not told.
std::filesystem::path picture_beside(const std::filesystem::path& trace) {
  return trace.empty() ? trace : std::filesystem::path(trace) += ".svg";
}

/// The story of a schedule as text in `path`, and as a picture beside it.
std::filesystem::path write_story(const Campaign& campaign, std::uint64_t seed,
                                  const std::filesystem::path& path) {
  const auto story = consensus::tell(campaign, seed);
  write_file_atomically(path, story.sequence.text());
  auto picture = picture_beside(path);
  const auto title =
      fmt::format("{} {} seed {}: {}", name_of(campaign.protocol), name_of(campaign.mutant), seed,
                  story.violation.empty() ? "no violation" : story.violation);
  write_file_atomically(picture, story.sequence.svg(story.nodes, title));
  return picture;
}

Json json_of(const Campaign& campaign, const CampaignResult& result, double seconds) {
  Json json{{"protocol", std::string(name_of(campaign.protocol))},
            {"mutant", std::string(name_of(campaign.mutant))},
            {"nodes", campaign.nodes},
            {"acceptors", campaign.acceptors},
            {"seed", campaign.seed},
            {"schedules", result.schedules},
            {"steps", result.tally.steps},
            {"messages", result.tally.messages},
            {"crashes", result.tally.crashes},
            {"lost_writes", result.tally.lost_writes},
            {"torn_writes", result.tally.torn_writes},
            {"partitions", result.tally.partitions},
            {"decided", result.decided},
            {"violations", result.violations},
            {"failing_seed", nullptr},
            {"violation", result.violation},
            {"seconds", seconds},
            {"steps_per_second", static_cast<double>(result.tally.steps) / seconds}};
  if (result.failing_seed) json["failing_seed"] = *result.failing_seed;
  return json;
}

const char* decided_word(Protocol protocol) {
  switch (protocol) {
    case Protocol::commit:
      return "committed";
    case Protocol::paxos:
      return "chosen";
    case Protocol::raft:
      return "applied something";
  }
  return "decided";
}

std::string text_of(const Campaign& campaign, const CampaignResult& result, double seconds) {
  auto text = fmt::format(
      "protocol: {}, {} nodes{}{}\n"
      "schedules: {} (seeds {} to {})\nsteps: {}\nmessages: {}\ncrashes: {}\n"
      "lost writes: {}\ntorn writes: {}\npartitions: {}\n{}: {}\nviolations: {}\n"
      "rate: {:.2f} million steps/s, {:.0f} schedules/s\n",
      name_of(campaign.protocol), campaign.nodes,
      campaign.protocol == Protocol::raft ? "" : fmt::format(", {} acceptors", campaign.acceptors),
      campaign.mutant == Mutant::none ? "" : fmt::format(", mutant {}", name_of(campaign.mutant)),
      result.schedules, campaign.seed, campaign.seed + result.schedules - 1, result.tally.steps,
      result.tally.messages, result.tally.crashes, result.tally.lost_writes,
      result.tally.torn_writes, result.tally.partitions, decided_word(campaign.protocol),
      result.decided, result.violations, static_cast<double>(result.tally.steps) / seconds / 1e6,
      static_cast<double>(result.schedules) / seconds);
  if (result.failing_seed)
    text += fmt::format("first violation: seed {}: {}\n", *result.failing_seed, result.violation);
  return text;
}

int simulate(const Arguments& arguments) {
  Campaign campaign;
  campaign.protocol = protocol_of(arguments);
  campaign.nodes = arguments.nodes;
  campaign.acceptors = arguments.acceptors;
  campaign.schedules = arguments.schedules;
  campaign.seed = arguments.seed;
  campaign.mutant = mutant_of(arguments);
  if (campaign.schedules == 0) throw Error(Errc::usage, "--schedules 0: there is nothing to do");
  program::expect_places({arguments.trace, picture_beside(arguments.trace)});
  const auto start = Clock::now();
  const auto result = consensus::run(campaign);
  const auto seconds = seconds_since(start);
  std::cout << (arguments.as_json ? json_of(campaign, result, seconds).dump(2) + "\n"
                                  : text_of(campaign, result, seconds));
  if (!arguments.trace.empty()) {
    const auto seed = result.failing_seed.value_or(campaign.seed);
    const auto picture = write_story(campaign, seed, arguments.trace);
    fmt::print(stderr, "seed {} is told in {} and drawn in {}\n", seed, arguments.trace.string(),
               picture.string());
  }
  return result.violations == 0 ? 0 : static_cast<int>(Errc::internal);
}

int explore(const Arguments& arguments) {
  ExplorerSize size;
  size.protocol = protocol_of(arguments);
  size.nodes = arguments.nodes;
  size.acceptors = arguments.acceptors;
  size.learners = arguments.learners;
  if (arguments.fast_disks) size.disks = consensus::Disks::at_once;
  size.crashes = arguments.crashes;
  size.ballot_max = static_cast<std::uint32_t>(arguments.ballots);
  size.commands = arguments.commands;
  size.mutant = mutant_of(arguments);
  if (arguments.crashes < 0 || arguments.ballots < 0)
    throw Error(Errc::usage, "--crashes and --ballots count from 0");
  const auto start = Clock::now();
  const auto result = consensus::explore_machines(size);
  const auto seconds = seconds_since(start);
  const int violations = result.violation.empty() ? 0 : 1;
  if (arguments.as_json) {
    const Json json{{"protocol", arguments.protocol},    {"states", result.states},
                    {"transitions", result.transitions}, {"depth", result.depth},
                    {"complete", result.is_complete},    {"violations", violations},
                    {"violation", result.violation},     {"seconds", seconds}};
    std::cout << json.dump(2) << "\n";
  } else {
    fmt::print(
        "distinct states: {}\ntransitions: {}\ndepth: {}\nviolations: {}\n"
        "rate: {:.2f} million states/s\n",
        result.states, result.transitions, result.depth, violations,
        static_cast<double>(result.states) / seconds / 1e6);
    if (violations > 0) fmt::print("first violation: {}\n", result.violation);
  }
  return violations == 0 ? 0 : static_cast<int>(Errc::internal);
}

}  // namespace

int sim_command(int argc, const char* const* argv) {
  if (argc > 1 && std::string_view(argv[1]) == "steal")
    return sim_steal_command(argc - 1, argv + 1);
  Arguments given;
  std::vector<std::string> what;
  program::Options options("cairn sim", "protocols under simulated faults", "consensus",
                           program::Options::Kind::tool);
  options
      .positional("what", what, "what to simulate: consensus; or steal, see cairn sim steal --help")
      .add("protocol", given.protocol, "paxos, commit or raft")
      .add("nodes", given.nodes,
           "participants (commit), proposers (paxos), or voters (raft, 1 to 7)")
      .add("acceptors", given.acceptors,
           "acceptors, 2f+1 to bear f crashes: nodes 0 to A-1; raft has none")
      .add("schedules", given.schedules, "how many schedules, each with its own seed")
      .add("seed", given.seed, "of the first schedule; the next has the next number")
      .add("mutant", given.mutant, "a mistake to plant: " + mutant_names())
      .add("trace", given.trace,
           "tell the first failing schedule, or the first, in this file, and draw it in FILE.svg")
      .flag("explore", given.explore, "visit every reachable state of a small cluster instead")
      .flag("fast-disks", given.fast_disks, "with --explore: writes are complete at once")
      .add("learners", given.learners, "with --explore: more nodes, which only learn (paxos)")
      .add("crashes", given.crashes, "with --explore: crashes in one story, at most")
      .add("ballots", given.ballots, "with --explore: the highest ballot, or term of Raft")
      .add("commands", given.commands, "with --explore: that Raft is asked for, at most")
      .flag("json", given.as_json, "the result as one JSON object");
  options.parse(argc, argv);
  if (options.general().help || options.general().version) {
    std::cout << (options.general().help ? options.help() : options.version_line());
    return 0;
  }
  if (what != std::vector<std::string>{"consensus"})
    throw Error(Errc::usage, "what to simulate? (cairn sim consensus, cairn sim steal)");
  return given.explore ? explore(given) : simulate(given);
}

}  // namespace cairn::tool
