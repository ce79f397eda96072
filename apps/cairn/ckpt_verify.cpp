// cairn ckpt verify: reads every byte of the epochs and checks every digest.

#include <fmt/format.h>

#include <algorithm>

#include "cairn/program/log.hpp"
#include "cairn/program/progress.hpp"
#include "ckpt_commands.hpp"
#include "ckpt_text.hpp"

namespace cairn::tool {

namespace {

using ckpt::BadRange;

/// What came of one epoch.
struct Outcome {
  std::uint64_t epoch = 0;
  ckpt::Verification verification;
  std::optional<Error> error;  ///< it could not even be judged

  [[nodiscard]] bool is_good() const { return !error && verification.bad.empty(); }
};

/// The given epochs, or all that have a record.
std::vector<std::uint64_t> chosen_epochs(const std::vector<std::string>& arguments,
                                         const std::vector<ckpt::EpochEntry>& entries) {
  std::vector<std::uint64_t> epochs;
  for (std::size_t i = 1; i < arguments.size(); ++i) epochs.push_back(epoch_number(arguments[i]));
  if (!epochs.empty()) return epochs;
  for (const auto& entry : entries) {
    if (entry.verdict == ckpt::Verdict::uncommitted || entry.verdict == ckpt::Verdict::stray) {
      continue;
    }
    epochs.push_back(entry.epoch);
  }
  if (epochs.empty()) throw_no_epochs(arguments.front());
  return epochs;
}

std::uint64_t total_bytes(const std::vector<std::uint64_t>& epochs,
                          const std::vector<ckpt::EpochEntry>& entries) {
  std::uint64_t total = 0;
  for (const auto& entry : entries) {
    const bool is_chosen = std::find(epochs.begin(), epochs.end(), entry.epoch) != epochs.end();
    if (is_chosen && entry.info) total += entry.info->data_bytes;
  }
  return total;
}

std::vector<Outcome> verify_all(const std::filesystem::path& directory,
                                const std::vector<std::uint64_t>& epochs, std::uint64_t bytes,
                                const std::optional<ckpt::Key>& key) {
  program::Log log("cairn ckpt verify", program::Level::info, 0, 1);
  program::Progress progress(log, "MiB", bytes >> 20);
  std::vector<Outcome> outcomes;
  std::uint64_t before = 0;
  for (const auto epoch : epochs) {
    auto& outcome = outcomes.emplace_back(Outcome{epoch, {}, {}});
    try {
      outcome.verification = ckpt::verify(
          directory, epoch, [&](std::uint64_t done) { progress.update((before + done) >> 20); },
          key);
    } catch (const Error& error) {
      outcome.error = error;
    }
    before += outcome.verification.bytes_read;
  }
  return outcomes;
}

void print_range(const BadRange& bad) {
  const auto last = bad.offset_bytes + bad.length_bytes - (bad.length_bytes > 0 ? 1 : 0);
  fmt::print("  {} bytes {} to {} ({} bytes", bad.file, bad.offset_bytes, last, bad.length_bytes);
  if (bad.covered_bytes != bad.length_bytes) fmt::print(", {} of them checked", bad.covered_bytes);
  fmt::print(")");
  if (!bad.field.empty()) fmt::print(", {}{}", one_line(bad.field), region_text(bad.region));
  fmt::print(": {}\n", one_line(bad.reason));
}

void print_outcome(const Outcome& outcome) {
  if (outcome.error) {
    fmt::print("epoch {}: unreadable: {}\n", outcome.epoch, one_line(outcome.error->what()));
  } else if (outcome.is_good()) {
    fmt::print("epoch {}: good, {} read\n", outcome.epoch,
               bytes_text(outcome.verification.bytes_read));
  } else {
    const auto ranges = outcome.verification.bad.size();
    fmt::print("epoch {}: damaged, {} bad range{}\n", outcome.epoch, ranges,
               ranges == 1 ? "" : "s");
    for (const auto& bad : outcome.verification.bad) print_range(bad);
  }
}

Json json_of(const BadRange& bad) {
  Json json{{"file", bad.file},
            {"offset_bytes", bad.offset_bytes},
            {"length_bytes", bad.length_bytes},
            {"covered_bytes", bad.covered_bytes},
            {"field", nullptr},
            {"region", nullptr},
            {"reason", bad.reason}};
  if (bad.field.empty()) return json;
  json["field"] = bad.field;
  json["region"] = {{"offset", bad.region.offset}, {"count", bad.region.count}};
  return json;
}

Json json_of(const Outcome& outcome) {
  Json json{{"epoch", outcome.epoch},
            {"good", outcome.is_good()},
            {"bytes_read", outcome.verification.bytes_read},
            {"unreadable", outcome.error ? Json(outcome.error->what()) : Json()},
            {"bad", Json::array()}};
  for (const auto& bad : outcome.verification.bad) json["bad"].push_back(json_of(bad));
  return json;
}

/// Throws what the exit code has to say.
void throw_verdict(const std::string& directory, const std::vector<Outcome>& outcomes) {
  const auto damaged = std::count_if(outcomes.begin(), outcomes.end(), [](const Outcome& each) {
    return !each.error && !each.is_good();
  });
  if (damaged > 0) {
    throw Error(Errc::bad_data, fmt::format("{} of {} epoch{} in {} {} damaged", damaged,
                                            outcomes.size(), outcomes.size() == 1 ? "" : "s",
                                            directory, damaged == 1 ? "is" : "are"));
  }
  for (const auto& outcome : outcomes) {
    if (outcome.error) throw Error(*outcome.error);
  }
}

}  // namespace

int ckpt_verify_command(int argc, const char* const* argv) {
  bool as_json = false;
  std::vector<std::string> arguments;
  program::Options options("cairn ckpt verify",
                           "reads every byte of the epochs and checks every digest; names what is "
                           "bad, and ends with 65 then",
                           "DIR [EPOCH…]", program::Options::Kind::tool);
  std::filesystem::path key_file;
  add_key_file(options, key_file);
  options.flag("json", as_json, "as one JSON document")
      .positional("DIR [EPOCH…]", arguments,
                  "the checkpoint directory, and numbers of epochs (default: all)")
      .example("cairn ckpt verify epochs");
  if (!read_options(options, argc, argv)) return 0;
  expect_arguments(arguments, 1, arguments.size(), "DIR [EPOCH…]");

  const auto entries = ckpt::epochs_in(arguments.front());
  const auto epochs = chosen_epochs(arguments, entries);
  auto outcomes = verify_all(arguments.front(), epochs, total_bytes(epochs, entries),
                             ckpt::Key::given(key_file));
  const auto is_gone = [](const Outcome& each) {
    return each.error && each.error->code() == Errc::no_input;
  };
  if (arguments.size() == 1) {
    std::erase_if(outcomes, is_gone);  // a running job has retired it meanwhile
  }
  if (as_json) {
    Json document{{"directory", arguments.front()},
                  {"good", std::all_of(outcomes.begin(), outcomes.end(),
                                       [](const Outcome& each) { return each.is_good(); })},
                  {"epochs", Json::array()}};
    for (const auto& outcome : outcomes) document["epochs"].push_back(json_of(outcome));
    print_json(document);
  } else {
    for (const auto& outcome : outcomes) print_outcome(outcome);
  }
  throw_verdict(arguments.front(), outcomes);
  return 0;
}

}  // namespace cairn::tool
