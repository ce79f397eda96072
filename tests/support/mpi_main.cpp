// The main() of every test that runs under mpirun: ranks report failures with their number, and as
// soon as a test case has failed on one rank the whole job ends, since the others may be waiting
// for it.

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <sstream>
#include <string>

#include "cairn/collectives/runtime.hpp"
#include "mpi_test.hpp"

namespace {

cairn::Runtime* runtime = nullptr;
std::ostringstream report;

void abort_with_report(const char* why) {
  std::fprintf(stderr, "[rank %d] %s\n%s\n", runtime->world().rank(), why, report.str().c_str());
  runtime->abort(1);
}

/// Ends the job when a test case has failed here.
struct AbortOnFailure : doctest::IReporter {
  explicit AbortOnFailure(const doctest::ContextOptions&) {}
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_start(const doctest::TestCaseData&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
    if (stats.failure_flags != 0) abort_with_report("a test case failed");
  }
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};

REGISTER_LISTENER("abort_on_failure", 1, AbortOnFailure);

}  // namespace

namespace cairn::test {
const Communicator& world() { return runtime->world(); }
}  // namespace cairn::test

int main(int argc, char** argv) {
  cairn::Runtime mpi(argc, argv);
  runtime = &mpi;
  doctest::Context context(argc, argv);
  context.setCout(&report);
  context.setOption("no-path-filenames", true);
  context.setOption("no-colors", true);
  const int result = context.run();
  if (result != 0) abort_with_report("the test run failed");
  if (mpi.world().is_root()) std::fputs(report.str().c_str(), stdout);
  return 0;
}
