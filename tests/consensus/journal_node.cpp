// One node of a journal in a process of its own, for journal_kills.cpp.
//
// usage: journal-node DIRECTORY NODE FAILPOINTS PORT…    the ports of all nodes, in their order
//
// Ends with 3 when it does not vote because its disk has failed.

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>

#include "cairn/core/failpoint.hpp"
#include "journal_cluster.hpp"

int main(int argc, char** argv) {
  using namespace journal_test;
  if (argc < 5) return 64;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int self = std::atoi(argv[2]);
  std::vector<cairn::transport::TcpEndpoint> endpoints;
  for (int i = 4; i < argc; ++i)
    endpoints.push_back({.port = static_cast<std::uint16_t>(std::atoi(argv[i]))});
  cairn::arm_failpoints(argv[3], 0, 0);
  Network network(self, secret(), tcp(endpoints[static_cast<std::size_t>(self)]));
  network.mesh().start(endpoints);
  Node node(network, argv[1], options_of(self, static_cast<int>(endpoints.size())));
  while (true) {
    node.poll();
    if (node.status().trouble.find("cannot be written") != std::string::npos) return 3;
    ::usleep(200);
  }
}
