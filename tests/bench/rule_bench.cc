// SPDX-License-Identifier: Apache-2.0
// Nanoseconds the pipeline takes for a packet, by the number of static rules: random packets that
// a random rule matches, through BPF_PROG_TEST_RUN. One line of JSON per size. Needs root and
// /sys/fs/bpf; makes no interface.
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <numeric>

#include "agent/dataplane/pipeline.h"
#include "agent/pattern_matcher/rule_check.h"
#include "agent/pattern_matcher/rule_compiler.h"
#include "stem_pipeline.skel.h"
#include "tests/rules/compiled_matcher.h"
#include "tests/rules/rule_generator.h"
#include "tests/rules/subject_frame.h"

namespace stem {
namespace {

constexpr unsigned kLoopback = 1;  // interface that exists in every network namespace
constexpr size_t kPackets = 200;   // the kernel takes some 20 ms to begin each run
constexpr uint32_t kRepeat = 1000;

double Milliseconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// Mean over the runs of one packet; -1 when the kernel refuses.
double RunOnce(int program, const std::vector<uint8_t>& frame) {
  xdp_md context{};
  context.data_end = static_cast<uint32_t>(frame.size());
  context.ingress_ifindex = kLoopback;
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
              .data_size_in = static_cast<uint32_t>(frame.size()), .ctx_in = &context,
              .ctx_size_in = sizeof(context), .repeat = kRepeat);
  return bpf_prog_test_run_opts(program, &options) == 0 ? options.duration : -1;
}

int Measure(size_t count, const std::string& directory) {
  const std::vector<Rule> rules = ClassBenchLikeRules(count, 2026);
  using Clock = std::chrono::steady_clock;
  const auto t0 = Clock::now();
  const auto compiled = CompileRules(rules, RuleLimits());
  const auto t1 = Clock::now();
  const size_t findings = CheckRules(rules).size();
  const auto t2 = Clock::now();
  DataPlaneConfig config;
  config.name = "rule-bench";
  config.sip_ports = {5060};
  config.max_calls = config.max_pinholes = 16;
  config.events_per_second = 0;
  if (!compiled.ok()) return fmt::print(stderr, "{}\n", compiled.status().ToString()), 1;
  config.rules = *compiled;
  const auto pipeline = LoadPipeline(config, directory, kLoopback, 0);
  const auto t3 = Clock::now();
  if (!pipeline.ok()) return fmt::print(stderr, "{}\n", pipeline.status().ToString()), 1;

  Chance chance(7);
  CompiledMatcher matcher(**compiled);
  std::vector<double> times;
  while (times.size() < kPackets) {
    Rule rule = rules[chance() % count];
    if (rule.from == STEM_SIDE_INSIDE) continue;  // there is one interface
    RuleSubject subject = SubjectOf(rule, chance);
    subject.from = STEM_SIDE_OUTSIDE;
    matcher.Match(subject);
    times.push_back(RunOnce(bpf_program__fd((*pipeline)->progs.stem_pipeline), ToFrame(subject)));
  }
  std::sort(times.begin(), times.end());
  fmt::print(
      "{{\"rules\": {}, \"ns_mean\": {:.1f}, \"ns_p50\": {}, \"ns_p99\": {}, "
      "\"lookups_mean\": {:.1f}, \"steps_mean\": {:.1f}, \"compile_ms\": {:.0f}, \"check_ms\": "
      "{:.0f}, "
      "\"findings\": {}, \"load_ms\": {:.0f}, \"kernel_mib\": {:.1f}}}\n",
      count, std::accumulate(times.begin(), times.end(), 0.0) / kPackets, times[kPackets / 2],
      times[kPackets * 99 / 100], static_cast<double>(matcher.lookups()) / kPackets,
      static_cast<double>(matcher.steps()) / kPackets, Milliseconds(t1 - t0), Milliseconds(t2 - t1),
      findings, Milliseconds(t3 - t2), static_cast<double>((*compiled)->KernelBytes()) / (1 << 20));
  return times.front() < 0 ? 1 : 0;
}

}  // namespace
}  // namespace stem

int main(int argc, char** argv) {
  const std::string directory = fmt::format("/sys/fs/bpf/rule-bench-{}", getpid());
  std::filesystem::create_directory(directory);
  std::vector<size_t> sizes = {10, 100, 1000, 10000};
  if (argc > 1) sizes = {std::stoul(argv[1])};
  int failed = 0;
  for (const size_t size : sizes) failed |= stem::Measure(size, directory);
  std::filesystem::remove_all(directory);
  return failed;
}
