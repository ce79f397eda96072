#include "failure_domains.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "cairn/collectives/check.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"

namespace cairn::ckpt {

namespace {

std::size_t index(int i) { return static_cast<std::size_t>(i); }

/// A name for %h: MPI's, or that of the virtual host which a test puts this rank on.
std::string own_host(const Communicator& comm) {
  const char* const hosts = std::getenv("CAIRN_VIRTUAL_HOSTS");
  const int count = hosts == nullptr ? 0 : std::atoi(hosts);
  if (count <= 0) return machine_name();
  return "host" + std::to_string(std::int64_t{comm.rank()} * count / comm.size());
}

/// A whole number in 1 … 255, and what follows it; nothing else.
bool take_number(std::string_view& words, int& number) {
  const auto [end, error] = std::from_chars(words.data(), words.data() + words.size(), number);
  words.remove_prefix(static_cast<std::size_t>(end - words.data()));
  return error == std::errc{} && number >= 1 && number <= 255;
}

}  // namespace

std::string machine_name() {
  char name[MPI_MAX_PROCESSOR_NAME + 1] = {};
  int length = 0;
  check_mpi(MPI_Get_processor_name(name, &length), "MPI_Get_processor_name");
  return {name, index(length)};
}

std::vector<std::string> words_of_all(const Communicator& comm, const std::string& mine) {
  Parts<char> all;
  all_gather_v(comm, mine, all);
  std::vector<std::string> words;
  for (std::size_t r = 0; r < all.size(); ++r)
    words.emplace_back(all.part(r).begin(), all.part(r).end());
  return words;
}

Redundancy redundancy_of(std::string_view words) {
  if (words == "none") return Redundancy::none();
  if (words == "partner") return Redundancy::partner();
  if (words == "xor") return Redundancy::exclusive_or();
  int data = 0;
  int parity = 0;
  auto rest = words;
  if (rest.starts_with("rs:")) {
    rest.remove_prefix(3);
    if (take_number(rest, data) && rest.starts_with('+')) {
      rest.remove_prefix(1);
      if (take_number(rest, parity) && rest.empty() && data + parity <= 128)
        return Redundancy::reed_solomon(data, parity);
    }
  }
  Error error(Errc::usage, "'" + std::string(words) +
                               "' is no redundancy of checkpoints; none, partner, xor, or rs:K+M "
                               "with at most 128 hosts together");
  error.mark_agreed();
  throw error;
}

FailureDomains failure_domains_of(const std::vector<std::string>& host_of_rank) {
  FailureDomains domains;
  for (const auto& name : host_of_rank) {
    const auto found = std::find(domains.hosts.begin(), domains.hosts.end(), name);
    const auto host = static_cast<int>(found - domains.hosts.begin());
    if (found == domains.hosts.end()) {
      domains.hosts.push_back(name);
      domains.ranks_of.emplace_back();
    }
    auto& ranks = domains.ranks_of[index(host)];
    domains.index_on_host.push_back(static_cast<int>(ranks.size()));
    ranks.push_back(static_cast<int>(domains.host_of.size()));
    domains.host_of.push_back(host);
  }
  return domains;
}

std::filesystem::path path_on(const std::string& host, const std::filesystem::path& path) {
  auto text = path.string();
  for (auto at = text.find("%h"); at != std::string::npos; at = text.find("%h", at + host.size()))
    text.replace(at, 2, host);
  return text;
}

FailureDomains find_failure_domains(const Communicator& comm, const std::string& host) {
  const auto mine = host.empty() ? own_host(comm) : host;
  return failure_domains_of(words_of_all(comm, mine));
}

std::vector<RedundancySet> redundancy_sets(const FailureDomains& domains,
                                           const Redundancy& redundancy) {
  std::vector<RedundancySet> sets;
  const auto hosts = static_cast<int>(domains.hosts.size());
  if (redundancy.losses == 0 || hosts == 1) return sets;
  const int groups = std::max(1, hosts / std::max(2, redundancy.group));
  for (int first = 0; first < hosts;) {
    const int group = first * groups / hosts;
    int last = first + 1;
    while (last < hosts && last * groups / hosts == group) ++last;
    std::size_t most = 0;
    for (int h = first; h < last; ++h) most = std::max(most, domains.ranks_of[index(h)].size());
    for (std::size_t j = 0; j < most; ++j) {
      RedundancySet set{std::min(redundancy.losses, last - first - 1), {}};
      for (int h = first; h < last; ++h) {
        const auto& ranks = domains.ranks_of[index(h)];
        set.members.push_back({ranks[j % ranks.size()], j < ranks.size()});
      }
      sets.push_back(std::move(set));
    }
    first = last;
  }
  return sets;
}

}  // namespace cairn::ckpt
