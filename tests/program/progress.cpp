#include "cairn/program/progress.hpp"

#include <doctest/doctest.h>

#include <vector>

using cairn::program::Reminder;

namespace {

/// The seconds, of so many, in which it was due.
std::vector<int> due_in(Reminder reminder, int seconds) {
  const Reminder::Clock::time_point begin{};
  std::vector<int> due;
  for (int s = 0; s <= seconds; ++s)
    if (reminder.is_due(begin + std::chrono::seconds(s))) due.push_back(s);
  return due;
}

}  // namespace

TEST_CASE("something that goes on is told of more and more rarely, and then every hour") {
  CHECK(due_in(Reminder(), 3 * 3600) ==
        std::vector<int>{60, 120, 240, 480, 960, 1920, 3840, 3840 + 3600});
  CHECK(due_in(Reminder(), 59).empty());
}

TEST_CASE("or as often as one likes, or never") {
  CHECK(due_in(Reminder(10), 35) == std::vector<int>{10, 20, 30});
  CHECK(due_in(Reminder(0), 10000).empty());
  CHECK(due_in(Reminder(1e-18), 3) == std::vector<int>{1, 2, 3});
}

TEST_CASE("who comes late is told once") {
  Reminder reminder(10);
  const Reminder::Clock::time_point begin{};
  CHECK_FALSE(reminder.is_due(begin));
  CHECK(reminder.is_due(begin + std::chrono::seconds(57)));
  CHECK_FALSE(reminder.is_due(begin + std::chrono::seconds(58)));
  CHECK(reminder.is_due(begin + std::chrono::seconds(60)));
  CHECK(reminder.seconds(begin + std::chrono::seconds(60)) == 60);
}

TEST_CASE("one that begins anew counts from there") {
  Reminder reminder;
  const Reminder::Clock::time_point begin{};
  CHECK_FALSE(reminder.is_due(begin));
  CHECK(reminder.is_due(begin + std::chrono::seconds(130)));
  reminder.restart(begin + std::chrono::seconds(200));
  CHECK_FALSE(reminder.is_due(begin + std::chrono::seconds(250)));
  CHECK(reminder.is_due(begin + std::chrono::seconds(260)));
}
