// SPDX-License-Identifier: Apache-2.0
// policing_accuracy: what passes a pinhole's byte rate, from 64 kbit/s to 10 Gbit/s.
#include <algorithm>
#include <memory>
#include <thread>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "tests/bench/cpu.h"
#include "tests/bench/measure.h"
#include "tests/bench/stem_contestant.h"

namespace stem {
namespace {

// What a run of the generator costs, about: one that waits for its time, and one that sends.
constexpr double kIdleRunNs = 75, kSendingRunNs = 350;
constexpr double kFastestFrameNs = 600;  // what the generator and the way surely keep up with
constexpr double kBurstSeconds = 0.02;   // the bucket: so long at full rate, ten packets at least
constexpr double kBelow = 0.95, kAbove = 2;  // offered, as a part of the rate
// The generator stamps a frame up to a batch before the policer sees it.
constexpr double kStampErrorSeconds = 50e-6;

struct PolicingCase {
  uint64_t bits_per_second;
  uint32_t ip_length;
  bool bursty;
  double load;
  int cpus;

  double bytes_per_second() const { return static_cast<double>(bits_per_second) / 8; }
  // Between two packets of a CPU. Below the rate the CPUs share the load; above it each offers all
  // of it, so that it stays above when one of them is late.
  double interval_ns() const {
    return 1e9 * ip_length / bytes_per_second() / load * (load < 1 ? cpus : 1);
  }
  double bucket() const { return std::max(10.0 * ip_length, kBurstSeconds * bytes_per_second()); }
  // Runs of the generator on each CPU that last so long.
  uint64_t runs(double seconds) const {
    const double busy = std::min(1.0, kSendingRunNs / interval_ns());
    return static_cast<uint64_t>(1e9 * seconds * (1 / interval_ns() + (1 - busy) / kIdleRunNs));
  }
  std::string ToString() const {
    return fmt::format("{} bit/s, {} bytes, {}, {} x rate, {} CPU", bits_per_second, ip_length,
                       bursty ? "bursty" : "paced", load, cpus);
  }
};

std::vector<PolicingCase> AllCases() {
  std::vector<PolicingCase> cases;
  for (const uint64_t rate : {64'000ull, 1'000'000ull, 10'000'000ull, 100'000'000ull,
                              1'000'000'000ull, 10'000'000'000ull}) {
    for (const uint32_t ip_length : {60u, 200u, 1400u}) {
      for (const bool bursty : {false, true}) {
        for (const double load : {kBelow, kAbove}) {
          for (const int cpus : {1, 2}) {
            cases.push_back({rate, ip_length, bursty, load, cpus});
          }
        }
      }
    }
  }
  return cases;
}

struct Offered {
  double bytes = 0, seconds = 0;  // from the first packet to the last
  double arrived = 0;             // bytes
};

// One flow's packets; on two CPUs each sends every second one.
Traffic FlowTraffic(const PolicingCase& one, uint32_t flow, int cpu) {
  Traffic traffic;
  traffic.frame_bytes = 14 + one.ip_length;
  traffic_stream stream = Stream(TRAFFIC_RTP, {1, flow}, one.ip_length);
  stream.interval_ns = static_cast<uint64_t>(one.interval_ns());
  // Half a bucket at once, of all CPUs together.
  if (one.bursty) stream.burst = static_cast<uint32_t>(one.bucket() / 2 / one.ip_length / one.cpus);
  stream.burst = std::max(stream.burst, 1u);
  stream.round_step = one.cpus;
  stream.round = cpu;
  traffic.streams = {stream};
  return traffic;
}

absl::Status SendOnCpu(const BenchLab& lab, TrafficGenerator& generator, int cpu, Traffic& traffic,
                       uint64_t runs) {
  RETURN_IF_ERROR(TakeCpu(cpu));
  RETURN_IF_ERROR(lab.Enter());
  return generator.Run(traffic, runs).status();
}

absl::StatusOr<Offered> Send(StemContestant& stem, TrafficGenerator& second, uint32_t flow,
                             const PolicingCase& one, double seconds) {
  RETURN_IF_ERROR(stem.lab().Enter());
  const uint64_t runs = one.runs(seconds);
  ASSIGN_OR_RETURN(const auto before, stem.sink().Arrived());
  std::vector<Traffic> traffic = {FlowTraffic(one, flow, 0), FlowTraffic(one, flow, 1)};
  absl::Status there = absl::OkStatus();
  std::thread other;
  if (one.cpus == 2) {
    other = std::thread([&] { there = SendOnCpu(stem.lab(), second, 0, traffic[1], runs); });
  }
  const absl::Status here = stem.SendFrames(traffic[0], runs).status();
  if (other.joinable()) other.join();
  RETURN_IF_ERROR(here);
  RETURN_IF_ERROR(there);
  ASSIGN_OR_RETURN(const auto after, stem.sink().Arrived());

  uint64_t sent = 0, first = UINT64_MAX, last = 0;
  for (int cpu = 0; cpu < one.cpus; ++cpu) {
    const traffic_stream& stream = traffic[cpu].streams[0];
    sent += stream.sent;
    first = std::min<uint64_t>(first, stream.first_ns);
    last = std::max<uint64_t>(last, stream.last_ns);
  }
  return Offered{static_cast<double>(sent) * one.ip_length,
                 1e-9 * static_cast<double>(last - first),
                 static_cast<double>(after[0] - before[0]) * one.ip_length};
}

// What is wrong with the outcome; empty when nothing is.
std::string Judge(const PolicingCase& one, const Offered& offered) {
  if (one.load < 1) {
    if (offered.arrived == offered.bytes) return "";
    return fmt::format("{} of {} conforming bytes lost", offered.bytes - offered.arrived,
                       offered.bytes);
  }
  const double allowed = one.bucket() + one.bytes_per_second() * offered.seconds;
  const double packet = one.ip_length;
  const double most = allowed + packet + kStampErrorSeconds * one.bytes_per_second();
  const double due = std::min(allowed, offered.bytes);  // the bucket may be larger than the offer
  const double least = std::min(0.99 * due, due - 1.001 * packet);
  if (offered.arrived > most) return fmt::format("{} bytes, {} allowed", offered.arrived, allowed);
  if (offered.arrived < least) return fmt::format("only {} of {}", offered.arrived, allowed);
  return "";
}

}  // namespace

absl::StatusOr<std::vector<Json>> MeasurePolicing(const BenchOptions& options) {
  ASSIGN_OR_RETURN(auto stem,
                   StemContestant::Open(StemContestant::DefaultConfig("policing", 1024)));
  ASSIGN_OR_RETURN(TrafficGenerator second, TrafficGenerator::Load());
  Json json = {{"name", "policing_accuracy"}};
  Json wrong = Json::array();
  uint32_t flow = 0, judged = 0, too_fast = 0;
  double lowest = 1, highest = 0;
  for (const PolicingCase& one : AllCases()) {
    ++flow;
    if (one.interval_ns() < kFastestFrameNs) {
      ++too_fast;
      continue;
    }
    RETURN_IF_ERROR(stem->OpenPolicedPinhole(flow, {static_cast<uint64_t>(one.bytes_per_second()),
                                                    static_cast<uint64_t>(one.bucket())}));
    ASSIGN_OR_RETURN(const Offered offered, Send(*stem, second, flow, one, options.seconds));
    ++judged;
    if (one.load > 1) {
      const double allowed = one.bucket() + one.bytes_per_second() * offered.seconds;
      // Where one packet more or less is a percent, it says nothing about accuracy.
      if (allowed > 200.0 * one.ip_length && offered.bytes > allowed) {
        lowest = std::min(lowest, offered.arrived / allowed);
        highest = std::max(highest, offered.arrived / allowed);
      }
    }
    if (const std::string fault = Judge(one, offered); !fault.empty()) {
      wrong.push_back(fmt::format("{}: {}", one.ToString(), fault));
    }
  }
  json["cases"] = judged;
  json["faster_than_the_bench"] = too_fast;
  json["wrong_cases"] = wrong.size();
  json["wrong"] = wrong;
  json["lowest_of_allowed"] = lowest;
  json["highest_of_allowed"] = highest;
  return std::vector<Json>{json};
}

}  // namespace stem
