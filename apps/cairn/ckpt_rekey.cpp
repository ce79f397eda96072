// cairn ckpt rekey: encrypts all epochs under another key.

#include <fmt/format.h>

#include <cstdlib>

#include "cairn/core/failpoint.hpp"
#include "cairn/program/log.hpp"
#include "cairn/program/progress.hpp"
#include "ckpt_commands.hpp"
#include "ckpt_text.hpp"

namespace cairn::tool {

int ckpt_rekey_command(int argc, const char* const* argv) {
  std::filesystem::path key_file;
  std::filesystem::path new_key_file;
  std::vector<std::string> arguments;
  program::Options options("cairn ckpt rekey",
                           "encrypts every epoch anew under another key; cut short, it leaves each "
                           "epoch under one of the two, and running it again finishes",
                           "DIR --key-file OLD --new-key-file NEW", program::Options::Kind::tool);
  add_key_file(options, key_file);
  options
      .add("new-key-file", new_key_file, "the new key: 32 bytes or 64 hexadecimal digits, mode 600")
      .positional("DIR", arguments, "the checkpoint directory")
      .example("cairn ckpt rekey epochs --key-file old.key --new-key-file new.key");
  options.hide_default("new-key-file");
  if (!read_options(options, argc, argv)) return 0;
  expect_arguments(arguments, 1, 1, "DIR");
  if (new_key_file.empty()) throw Error(Errc::usage, "which key? write --new-key-file FILE");
  if (const char* failpoints = std::getenv("CAIRN_FAILPOINTS")) {
    arm_failpoints(failpoints, 0, launch_number());
  }
  const auto old_key = ckpt::Key::given(key_file);
  const auto new_key = ckpt::Key::from_file(new_key_file);

  program::Log log("cairn ckpt rekey", program::Level::info, 0, 1);
  program::Progress progress(log, "MiB", 0);
  const auto result = ckpt::rekey(arguments.front(), old_key, new_key,
                                  [&](std::uint64_t done) { progress.update(done >> 20); });
  progress.finish();
  for (const auto epoch : result.already) {
    fmt::print("epoch {} is under key {} already\n", epoch, new_key.id());
  }
  for (const auto epoch : result.rewritten) {
    fmt::print("epoch {} is under key {} now\n", epoch, new_key.id());
  }
  if (result.damaged.empty()) return 0;
  std::string all;
  for (const auto& [epoch, why] : result.damaged) {
    all += fmt::format("{}epoch {}: {}", all.empty() ? "" : "; ", epoch, one_line(why));
  }
  throw Error(Errc::bad_data, "left as they were, since they are damaged: " + all);
}

}  // namespace cairn::tool
