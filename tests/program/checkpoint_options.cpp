#include "cairn/program/checkpoint_options.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

using namespace cairn::program;

TEST_CASE("durations, as Slurm writes them") {
  const auto minutes = [](double n) { return 60 * n; };
  const auto hours = [](double n) { return 3600 * n; };
  CHECK(parse_duration("90") == 90);
  CHECK(parse_duration("0.5") == 0.5);
  CHECK(parse_duration("30:00") == minutes(30));
  CHECK(parse_duration("1:02:03") == hours(1) + minutes(2) + 3);
  CHECK(parse_duration("2-0") == hours(48));
  CHECK(parse_duration("1-01:30") == hours(25) + minutes(30));
  CHECK(parse_duration("10-00:00:01") == hours(240) + 1);
}

TEST_CASE("what is no duration") {
  for (const char* text :
       {"", "-", "-1", "1-", "a", "1:", ":1", "1:2:3:4", "1-1:1:1:1", "UNLIMITED", "NOT_SET",
        "INVALID", "5 ", " 5", "5s", "nan", "1.5:00", "auto"})
    CHECK_MESSAGE(!parse_duration(text), text);
}

TEST_CASE("Slurm's end of the job, and none where there is none") {
  ::unsetenv("SLURM_JOB_ID");
  ::setenv("SLURM_JOB_END_TIME", "1900000000", 1);
  CHECK(slurm_time_limit() ==
        std::chrono::system_clock::time_point(std::chrono::seconds(1900000000)));
  ::setenv("SLURM_JOB_END_TIME", "30000000000", 1);  // later than the clock counts
  CHECK(slurm_time_limit() > std::chrono::system_clock::now());
  ::setenv("SLURM_JOB_END_TIME", "soon", 1);
  CHECK(!slurm_time_limit());
  ::unsetenv("SLURM_JOB_END_TIME");
  CHECK(!slurm_time_limit());
  ::setenv("SLURM_JOB_ID", "12; touch /tmp/never", 1);  // never reaches a shell
  CHECK(!slurm_time_limit());
  ::unsetenv("SLURM_JOB_ID");
}
