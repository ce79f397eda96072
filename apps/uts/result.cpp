#include "result.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cairn/loadbalance/pool_metrics.hpp"

namespace cairn::uts {

namespace {

using Json = nlohmann::ordered_json;
using loadbalance::WorkPoolReport;

Json json_of(const WorkPoolReport& report) {
  const auto& times = report.times;
  const auto& steals = report.stealing;
  return {{"threads", report.threads},
          {"tasks", report.tasks},
          {"seconds", times.seconds()},
          {"work_seconds", times.work_seconds},
          {"poll_seconds", times.poll_seconds},
          {"search_seconds", times.search_seconds},
          {"idle_seconds", times.idle_seconds},
          {"helpers_work_seconds", times.helpers_work_seconds},
          {"busiest_thread_seconds", times.busiest_seconds},
          {"shared", report.shared},
          {"steals_tried", steals.asked},
          {"steals_tried_on_host", steals.asked_on_host},
          {"parked", steals.parked},
          {"naps", report.naps},
          {"steals_won", steals.won()},
          {"gifts", steals.gifts},
          {"task_messages_got", steals.got},
          {"task_messages_given", steals.given},
          {"bytes_got", steals.bytes_got},
          {"messages", steals.messages},
          {"waves", steals.waves},
          {"steal_latency",
           {{"bins_below_us_2_to_the", report.steal_latency.counts},
            {"mean_seconds", report.steal_latency.mean_seconds()},
            {"longest_seconds", report.steal_latency.longest_seconds}}}};
}

Json metrics_json(const std::vector<WorkPoolReport>& reports) {
  if (reports.empty()) return nullptr;
  const auto metrics = loadbalance::metrics_of(reports);
  Json json{{"load_balance", metrics.load_balance},
            {"communication_efficiency", metrics.communication_efficiency},
            {"parallel_efficiency", metrics.parallel_efficiency},
            {"runtime_seconds", metrics.runtime_seconds},
            {"ranks", Json::array()}};
  for (const auto& report : reports) json["ranks"].push_back(json_of(report));
  return json;
}

}  // namespace

double Result::nodes_per_second() const {
  return seconds > 0 ? static_cast<double>(counts.nodes - nodes_before) / seconds : 0;
}

void print_result(const Result& result) {
  fmt::print("nodes {}\ndepth {}\nleaves {}\nnodes_per_second {:.4g}\n", result.counts.nodes,
             result.counts.depth, result.counts.leaves, result.nodes_per_second());
  std::fflush(stdout);
}

std::string to_json(const Result& result) {
  const TreeParameters& tree = result.parameters;
  const Json json{
      {"program", "cairn-uts"},
      {"tree", result.tree.empty() ? Json(nullptr) : Json(result.tree)},
      {"parameters",
       {{"type", static_cast<int>(tree.type)},
        {"shape", static_cast<int>(tree.shape)},
        {"depth", tree.depth},
        {"branching", tree.branching},
        {"seed", tree.seed},
        {"probability", tree.probability},
        {"children", tree.children}}},
      {"nodes", result.counts.nodes},
      {"depth", result.counts.depth},
      {"leaves", result.counts.leaves},
      {"kernel", result.kernel},
      {"schedule", result.schedule},
      {"deals", result.deals},
      {"ranks", result.ranks},
      {"threads", result.threads},
      {"restored_from", result.restored_from ? Json(*result.restored_from) : Json(nullptr)},
      {"seconds", result.seconds},
      {"cpu_seconds", result.cpu_seconds},
      {"nodes_per_second", result.nodes_per_second()},
      {"metrics", metrics_json(result.reports)}};
  return json.dump(2) + "\n";
}

}  // namespace cairn::uts
