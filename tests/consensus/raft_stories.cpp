// Raft, told as stories: a command, then all that it causes. A story is a text file in stories/,
//
//     > command           what to do (below)
//     text                what must be told then, to the letter
//
//     nodes N [MUTANT]    N voters, and two nodes more that may join
//     writes WHEN         at-once, or later: by `write`
//     campaign N          node N's time passes until it wants to lead
//     elect N             the same, and it is elected; without a word
//     tick N [TIMES]      its time passes
//     deliver | settle    what is in flight now; until nothing is
//     drop                loses what is in flight
//     write N             its oldest write is durable
//     propose N NUMBER · change N VOTER… · transfer N TO
//     disk N TERM…        what it has on its disk, an entry of each of these terms; it starts again
//     isolate N · heal · crash N · restart N
//     state               of all nodes
//
// Stories are in the manner of etcd's interaction tests. CAIRN_REWRITE_STORIES=1 writes what is
// told into the files; look at the difference before you believe it.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "raft_cluster.hpp"

using namespace cairn::test;

namespace {

/// Plays the commands, and returns what was told behind each.
class Stage {
 public:
  std::string play(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "nodes") {
      std::size_t nodes = 0;
      std::string mutant;
      words >> nodes >> mutant;
      cluster_ = std::make_unique<RaftCluster>(
          nodes, cairn::consensus::mutant_of(mutant).value_or(Mutant::none));
      return "";
    }
    REQUIRE(cluster_ != nullptr);
    cluster_->told.str("");
    perform(command, words);
    return cluster_->told.str();
  }

 private:
  void perform(const std::string& command, std::istringstream& words) {
    auto& cluster = *cluster_;
    if (command == "deliver") return cluster.deliver();
    if (command == "settle") return cluster.settle();
    if (command == "drop") return cluster.drop();
    if (command == "heal") return cluster.heal();
    if (command == "state") return cluster.state();
    if (command == "writes") {
      std::string when;
      words >> when;
      cluster.writes_at_once = when == "at-once";
      return;
    }
    std::size_t node = 0;
    words >> node;
    std::vector<std::size_t> rest;
    for (std::size_t each = 0; words >> each;) rest.push_back(each);
    if (command == "campaign") return cluster.campaign(node);
    if (command == "elect") {
      cluster.campaign(node);
      cluster.settle();
      cluster.told.str("");
      CHECK(cluster[node].role() == Raft::Role::leader);
      return;
    }
    if (command == "tick") return cluster.tick(node, rest.empty() ? 1 : static_cast<int>(rest[0]));
    if (command == "write") return cluster.write(node);
    if (command == "propose") return cluster.propose(node, rest.at(0));
    if (command == "change") return cluster.change(node, rest);
    if (command == "disk") return cluster.disk(node, rest);
    if (command == "transfer") return cluster.transfer(node, rest.at(0));
    if (command == "isolate") return cluster.isolate(node);
    if (command == "crash") return cluster.crash(node);
    if (command == "restart") return cluster.restart(node);
    FAIL("no such command: " << command);
  }

  std::unique_ptr<RaftCluster> cluster_;
};

/// The file with what is told now.
std::string told(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string result;
  Stage stage;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#") || line.empty()) result += line + "\n";
    if (!line.starts_with("> ")) continue;
    result += line + "\n" + stage.play(line.substr(2));
  }
  return result;
}

}  // namespace

TEST_CASE("the stories of Raft") {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(CAIRN_STORIES))
    if (entry.path().extension() == ".txt") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  CHECK(paths.size() >= 21);
  for (const auto& path : paths) {
    CAPTURE(path.filename().string());
    const auto now = told(path);
    if (std::getenv("CAIRN_REWRITE_STORIES") != nullptr) {
      std::ofstream(path) << now;
      continue;
    }
    std::ifstream file(path);
    const std::string expected{std::istreambuf_iterator<char>(file), {}};
    CHECK(now == expected);
  }
}
