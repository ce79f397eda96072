#include "result.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "cairn/core/atomic_file.hpp"

namespace cairn::heat {

void print_norms(std::uint64_t step, const Norms& norms) {
  fmt::print("step {} l2 {:a} {} max {:a} {} sum {:a} {}\n", step, norms.l2, norms.l2,
             norms.maximum, norms.maximum, norms.sum, norms.sum);
  std::fflush(stdout);
}

void print_summary(const Result& result) {
  fmt::print("digest {}\n", result.digest);
  if (result.error) {
    fmt::print("error_l2 {:.6g}\nerror_max {:.6g}\n", result.error->l2, result.error->maximum);
  }
  fmt::print("seconds {:.6g}\ncells_per_second {:.6g}\n", result.seconds, result.cells_per_second);
}

void write_result(const Result& result, const std::filesystem::path& file) {
  using Json = nlohmann::ordered_json;
  const auto or_null = [](const auto& value) { return value ? Json(*value) : Json(nullptr); };
  Json json{{"program", "cairn-heat"}, {"digest", result.digest}, {"size", result.size},
            {"steps", result.steps},   {"time", result.time},     {"initial", result.initial}};
  const auto& norms = result.norms;
  for (const auto& [name, value] :
       {std::pair("l2", norms.l2), std::pair("sum", norms.sum), std::pair("min", norms.minimum),
        std::pair("max", norms.maximum)}) {
    json["norms"][name] = fmt::format("{:a}", value);
    json["norms_decimal"][name] = value;
  }
  json["error_l2"] = result.error ? Json(result.error->l2) : Json(nullptr);
  json["error_max"] = result.error ? Json(result.error->maximum) : Json(nullptr);
  json["ranks"] = result.ranks;
  json["threads"] = result.threads;
  json["restarts"] = result.restarts;
  json["restored_from"] = or_null(result.restored_from);
  json["seconds"] = result.seconds;
  json["cells_per_second"] = result.cells_per_second;
  write_file_atomically(file, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace cairn::heat
