// SPDX-License-Identifier: Apache-2.0
// stem-bench [--quick] [GROUP...]: measures the data plane on one CPU and prints JSON, an array
// with one object a measure. Progress and errors go to standard error.
#include <fcntl.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>

#include <algorithm>
#include <iostream>
#include <string_view>

#include "agent/dataplane/errno_status.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "tests/bench/cpu.h"
#include "tests/bench/measure.h"

namespace stem {
namespace {

constexpr char kLock[] = "/run/stem-bench.lock";

const std::vector<std::pair<std::string, MeasureGroup>> kGroups = {
    {"media", MeasureMedia},       {"floods", MeasureFloods},     {"pipeline", MeasurePipeline},
    {"rules", MeasureRules},       {"policing", MeasurePolicing}, {"goodput", MeasureGoodput},
    {"verifier", MeasureVerifier},
};

absl::StatusOr<Json> RunBench(const BenchOptions& options, const std::vector<std::string>& chosen) {
  const UniqueFd lock(open(kLock, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid() || flock(lock.get(), LOCK_EX) != 0) return ErrnoStatus(errno, kLock);
  RETURN_IF_ERROR(TakeCpu(BenchCpu()));
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
