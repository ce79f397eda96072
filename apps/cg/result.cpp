#include "result.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cairn/core/atomic_file.hpp"

namespace cairn::cg {

void print_residual(std::uint64_t iteration, double residual) {
  fmt::print("iteration {} residual {:a} {}\n", iteration, residual, residual);
  std::fflush(stdout);
}

void print_summary(const Result& result) {
  fmt::print("iterations {}\nconverged {}\nresidual {:a} {}\ndigest {}\n", result.iterations,
             result.converged, result.residual, result.residual, result.digest);
  if (result.error_max) fmt::print("error_max {:.6g}\n", *result.error_max);
  fmt::print("seconds {:.6g}\niterations_per_second {:.6g}\n", result.seconds,
             result.iterations_per_second);
}

void write_result(const Result& result, const std::filesystem::path& file) {
  using Json = nlohmann::ordered_json;
  const auto or_null = [](const auto& value) { return value ? Json(*value) : Json(nullptr); };
  const Json json{{"program", "cairn-cg"},
                  {"digest", result.digest},
                  {"system", result.system},
                  {"rows", result.rows},
                  {"nonzeros", result.nonzeros},
                  {"precondition", result.precondition},
                  {"tolerance", result.tolerance},
                  {"iterations", result.iterations},
                  {"converged", result.converged},
                  {"residual", fmt::format("{:a}", result.residual)},
                  {"residual_decimal", result.residual},
                  {"error_max", or_null(result.error_max)},
                  {"ranks", result.ranks},
                  {"threads", result.threads},
                  {"restarts", result.restarts},
                  {"restored_from", or_null(result.restored_from)},
                  {"seconds", result.seconds},
                  {"iterations_per_second", result.iterations_per_second}};
  constexpr auto readable = Json::error_handler_t::replace;  // a file name may hold any bytes
  write_file_atomically(file, json.dump(2, ' ', false, readable) + "\n");
}

}  // namespace cairn::cg
