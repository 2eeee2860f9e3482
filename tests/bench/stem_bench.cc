// SPDX-License-Identifier: Apache-2.0
// stem-bench [--quick] [GROUP...]: measures the data plane on one CPU and prints JSON, an array
// with one object a measure. Progress and errors go to standard error.
#include <fcntl.h>
#include <sched.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <string_view>

#include "agent/dataplane/errno_status.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "tests/bench/measure.h"

namespace stem {
namespace {

constexpr char kLock[] = "/run/stem-bench.lock";

const std::vector<std::pair<std::string, MeasureGroup>> kGroups = {
    {"media", MeasureMedia},       {"floods", MeasureFloods},     {"pipeline", MeasurePipeline},
    {"rules", MeasureRules},       {"policing", MeasurePolicing}, {"goodput", MeasureGoodput},
    {"verifier", MeasureVerifier},
};

// The last CPU is ours, before everything else on it; interleaving leaves pauses for the others.
absl::Status TakeOneCpu() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpus);
  if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0) return ErrnoStatus(errno, "taking one CPU");
  const sched_param priority{.sched_priority = 1};
  if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) != 0) {
    return ErrnoStatus(errno, "taking precedence on the CPU");
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> RunBench(const BenchOptions& options, const std::vector<std::string>& chosen) {
  const UniqueFd lock(open(kLock, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid() || flock(lock.get(), LOCK_EX) != 0) return ErrnoStatus(errno, kLock);
  RETURN_IF_ERROR(TakeOneCpu());
  for (const std::string& name : chosen) {
    const auto is_it = [&](const auto& group) { return group.first == name; };
    if (std::ranges::none_of(kGroups, is_it)) {
      return absl::InvalidArgumentError(fmt::format("no group of measures '{}'", name));
    }
  }
  Json results = Json::array();
  for (const auto& [name, group] : kGroups) {
    if (!chosen.empty() && std::ranges::find(chosen, name) == chosen.end()) continue;
    std::cerr << "measuring " << name << "\n";
    ASSIGN_OR_RETURN(const std::vector<Json> measured, group(options));
    for (const Json& one : measured) results.push_back(one);
  }
  return results;
}

}  // namespace
}  // namespace stem

int main(int argc, char** argv) {
  stem::BenchOptions options;
  std::vector<std::string> chosen;
  for (const std::string_view argument : std::vector<std::string_view>(argv + 1, argv + argc)) {
    if (argument == "--quick") {
      options = {.rounds = 3, .seconds = 0.05};
    } else {
      chosen.emplace_back(argument);
    }
  }
  spdlog::set_default_logger(spdlog::stderr_color_mt("stem-bench"));
  spdlog::set_level(spdlog::level::warn);
  const auto results = stem::RunBench(options, chosen);
  if (!results.ok()) {
    std::cerr << "stem-bench: " << results.status().message() << "\n";
    return 1;
  }
  std::cout << results->dump(2) << "\n";
  return 0;
}
