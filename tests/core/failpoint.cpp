#include "cairn/core/failpoint.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "cairn/core/error.hpp"

using namespace cairn;

namespace {

Failpoint first{"test.first"};
Failpoint second{"test.second"};

std::string message_of(const std::string& spec) {
  try {
    arm_failpoints(spec, 0, 0);
  } catch (const Error& error) {
    CHECK(error.code() == Errc::usage);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a failpoint does nothing until armed, and nothing again when disarmed") {
  arm_failpoints("", 0, 0);
  CHECK(first.hit() == 0);
  arm_failpoints("test.first=EIO", 0, 0);
  CHECK(first.hit() == EIO);
  CHECK(second.hit() == 0);
  arm_failpoints("", 0, 0);
  CHECK(first.hit() == 0);
}

TEST_CASE("rank, launch and hit choose when it fires") {
  arm_failpoints("test.first=ENOSPC,rank=2,hit=3,launch=1", 2, 1);
  CHECK(first.hit() == 0);
  CHECK(first.hit() == 0);
  CHECK(first.hit() == ENOSPC);
  CHECK(first.hit() == 0);
  arm_failpoints("test.first=ENOSPC,rank=2", 1, 0);
  CHECK(first.hit() == 0);
  arm_failpoints("test.first=ENOSPC,launch=1", 0, 0);
  CHECK(first.hit() == 0);
}

TEST_CASE("throw and check raise Errors") {
  arm_failpoints(" test.first = throw ; test.second=EROFS ", 0, 0);
  CHECK_THROWS_WITH_AS((void)first.hit(), "failpoint test.first", Error);
  CHECK_THROWS_WITH_AS(second.check("fsync x"),
                       "fsync x: Read-only file system; choose a directory that can be written",
                       Error);
  arm_failpoints("", 0, 0);
}

TEST_CASE("kill is SIGKILL") {
  const pid_t child = fork();
  if (child == 0) {
    arm_failpoints("test.second=kill,hit=2", 0, 0);
    (void)second.hit();
    (void)second.hit();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGKILL);
}

TEST_CASE("a wrong spec is refused with what would be right") {
  CHECK(message_of("test.third=kill").find("test.first test.second") != std::string::npos);
  CHECK(message_of("test.first").find("no action") != std::string::npos);
  CHECK(message_of("test.first=explode").find("is none of kill") != std::string::npos);
  CHECK(message_of("test.first=kill,rank=x").find("not a non-negative number") !=
        std::string::npos);
  CHECK(message_of("test.first=stall:-1").find("not a non-negative number") != std::string::npos);
  arm_failpoints("", 0, 0);
}
