#include "journal_trouble.hpp"

#include "cairn/consensus/quorum.hpp"

namespace cairn::consensus::journal {

namespace {

std::string of_node(int node, const Trouble& trouble) {
  const auto name = " of node " + std::to_string(node);
  if (!trouble.failure.empty())
    return "the journal" + name + " cannot be written any more (" + std::string(trouble.failure) +
           "): it is silent";
  if (trouble.writes > 0)
    return "the disk of the journal" + name + " lags behind (" + std::to_string(trouble.writes) +
           " writes are under way): it promises nothing until they are done";
  if (!trouble.lost.empty())
    return "the journal" + name + " cannot be trusted (" + std::string(trouble.lost) +
           "): it keeps a copy and does not vote";
  return "";
}

}  // namespace

std::string trouble_of(const JournalOptions& options, const JournalStatus& status,
                       const Trouble& trouble) {
  auto text = of_node(options.node, trouble);
  if (status.has_majority) return text;
  if (!text.empty()) text += "; ";
  return text + "no majority: " + std::to_string(status.voters_heard) + " of " +
         std::to_string(options.nodes) + " nodes with their journals are heard, " +
         std::to_string(majority(options.nodes)) + " are needed; new entries wait";
}

}  // namespace cairn::consensus::journal
