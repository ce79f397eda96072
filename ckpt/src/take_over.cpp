#include "cairn/consensus/fence.hpp"
#include "inspect.hpp"

namespace cairn::ckpt {

namespace {

/// Whoever holds it holds a file without a name from then on.
void remove_lock(const std::filesystem::path& directory) { remove_file(directory / "lock"); }

}  // namespace

TakenOver take_over(const std::filesystem::path& directory) {
  const auto owner = consensus::owner(directory);
  if (!owner && EpochStore::reader(directory).files().empty())
    throw Error(Errc::no_input, "no epochs in " + directory.string());
  if (!owner || owner->is_released) {
    remove_lock(directory);
    return {};
  }
  TakenOver result;
  result.former = owner->incarnation;
  result.former_owner = owner->claim ? consensus::describe(owner->claim->owner)
                                     : "nobody can tell: " + owner->problem;
  result.is_former_alive_here = owner->claim && consensus::is_alive_here(owner->claim->owner);
  const auto fence = consensus::claim(
      directory, consensus::this_process(consensus::Claimant::Kind::by_operator),
      {.heartbeat_seconds = 0, .take_over = consensus::FenceOptions::TakeOver::by_force});
  result.incarnation = fence.incarnation();
  remove_lock(directory);
  return result;
}

}  // namespace cairn::ckpt
