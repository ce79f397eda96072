// What a scheduler says of a job.

#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "cairn/consensus/fence.hpp"

namespace cairn::consensus {

namespace {

bool is_job_id(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isdigit(c) != 0 || c == '_';
  });
}

struct Answer {
  int code = -1;
  std::string text;
};

/// coreutils' timeout, since a controller that does not answer must not hold up a launch.
Answer ask_squeue(const std::string& job) {
  const auto command = "timeout 10 squeue --noheader --jobs=" + job + " --format=%T 2>&1";
  Answer answer;
  FILE* const pipe = ::popen(command.c_str(), "re");  // NOLINT(cert-env33-c): digits alone
  if (pipe == nullptr) return answer;
  std::array<char, 512> line{};
  while (std::fgets(line.data(), static_cast<int>(line.size()), pipe) != nullptr)
    answer.text += line.data();
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) answer.code = WEXITSTATUS(status);
  return answer;
}

}  // namespace

JobState ask_slurm(const Claimant& owner) {
  if (owner.scheduler != "slurm" || !is_job_id(owner.scheduler_job)) return JobState::unknown;
  const char* const cluster = std::getenv("SLURM_CLUSTER_NAME");
  // Outside of a job squeue asks the default cluster, which may be another one.
  if (!owner.cluster.empty() && (cluster == nullptr || owner.cluster != cluster))
    return JobState::unknown;
  const auto answer = ask_squeue(owner.scheduler_job);
  if (answer.code != 0) {
    const bool is_forgotten = answer.text.find("Invalid job id") != std::string::npos;
    return is_forgotten ? JobState::gone : JobState::unknown;
  }
  const auto says = [&](const char* word) { return answer.text.find(word) != std::string::npos; };
  if (says("RUNNING") || says("COMPLETING") || says("SUSPENDED") || says("STOPPED") ||
      says("SIGNALING") || says("STAGE_OUT") || says("CONFIGURING") || says("RESIZING"))
    return JobState::there;
  // Not listed, ended, or waiting to be started again.
  return JobState::gone;
}

}  // namespace cairn::consensus
