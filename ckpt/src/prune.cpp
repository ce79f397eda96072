#include <algorithm>
#include <set>

#include "inspect.hpp"

namespace cairn::ckpt {

namespace {

/// Looks for the newest `keep` epochs whose bytes are all good; the damaged ones that it meets on
/// the way are added to `result`.
void choose_kept(const EpochStore& store, int keep, const BytesDone& progress, Pruned& result) {
  std::uint64_t done = 0;
  const auto read = [&](std::uint64_t bytes) {
    if (progress) progress(done + bytes);
  };
  for (const auto& found : store.find()) {
    if (static_cast<int>(result.kept.size()) == keep) return;
    if (!found.problem.empty()) {
      result.damaged.emplace_back(found.epoch, found.problem);
      continue;
    }
    Verification verification;
    verify_data(store, parse_record(found.text), read, verification);
    done += verification.bytes_read;
    if (verification.bad.empty()) {
      result.kept.push_back(found.epoch);
    } else {
      const auto& bad = verification.bad.front();
      result.damaged.emplace_back(found.epoch, bad.file + ": " + bad.reason);
    }
  }
}

void expect_epochs(const std::filesystem::path& directory) {
  const auto files = EpochStore::reader(directory).files();
  if (std::any_of(files.begin(), files.end(), [](const EpochFile& file) {
        return file.kind == EpochFile::Kind::record && !file.is_temporary;
      })) {
    return;
  }
  throw Error(Errc::no_input, "no epochs in " + directory.string());
}

}  // namespace

Pruned prune(const std::filesystem::path& directory, const PruneOptions& options,
             const BytesDone& progress) {
  expects(options.keep >= 1, "at least one epoch to keep");
  expect_epochs(directory);  // before a lock file is made in some other folder
  const bool is_dry = options.mode == PruneOptions::Mode::dry_run;
  const auto store = is_dry ? EpochStore::reader(directory) : EpochStore(directory, Access{});
  Pruned result;
  choose_kept(store, options.keep, progress, result);
  if (static_cast<int>(result.kept.size()) < options.keep) return result;
  std::set<std::uint64_t> damaged;
  for (const auto& [epoch, why] : result.damaged) damaged.insert(epoch);
  result.removed = store.retirable(options.keep, damaged);
  if (!is_dry) store.retire(options.keep, damaged);
  return result;
}

}  // namespace cairn::ckpt
