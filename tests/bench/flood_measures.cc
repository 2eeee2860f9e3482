// SPDX-License-Identifier: Apache-2.0
// syn_one, syn_spoofed, invite_one and invite_spoofed: what a flood costs until it is dropped.
#include <memory>
#include <string>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "tests/bench/measure.h"
#include "tests/bench/stem_contestant.h"

namespace stem {
namespace {

constexpr FlowRange kFewSources{64};
constexpr FlowRange kSpoofedSources{1'000'000};

// SYNs are counted by source and dropped above the rate; the rest meets the default policy, which
// drops them, too, as ours does.
std::string SynLimit() {
  return fmt::format(R"(
table netdev bench {{
  set sources {{
    type ipv4_addr
    size 2000000
    flags dynamic,timeout
    timeout 10s
  }}
  chain ingress {{
    type filter hook ingress device "outside0" priority filter; policy drop
    tcp flags & (syn | ack) == syn add @sources {{ ip saddr limit rate over {}/second }} drop
  }}
}}
)",
                     kSynsPerSecond);
}

}  // namespace

absl::StatusOr<std::vector<Json>> MeasureFloods(const BenchOptions& options) {
  ASSIGN_OR_RETURN(auto bare, Contestant::BareDrop());
  ASSIGN_OR_RETURN(auto nftables, Contestant::Nftables(SynLimit()));
  ASSIGN_OR_RETURN(auto stem, StemContestant::Open(StemContestant::DefaultConfig("floods", 65536)));
  // A flood meets a firewall at work.
  RETURN_IF_ERROR(stem->OpenPinholes({16384}));

  const auto syn = [](const FlowRange& range) { return OneStream(TRAFFIC_SYN, range); };
  const auto invite = [](const FlowRange& range) { return OneStream(TRAFFIC_INVITE, range); };
  std::vector<Entry> entries = {
      {"bare drop", bare.get(), syn(kFewSources)},
      {"STEM, SYNs of 64 sources", stem.get(), syn(kFewSources)},
      {"STEM, spoofed SYNs", stem.get(), syn(kSpoofedSources)},
      {"nftables, SYNs of 64 sources", nftables.get(), syn(kFewSources)},
      {"nftables, spoofed SYNs", nftables.get(), syn(kSpoofedSources)},
      {"STEM, INVITEs of 64 sources", stem.get(), invite(kFewSources)},
      {"STEM, spoofed INVITEs", stem.get(), invite(kSpoofedSources)},
  };
  RETURN_IF_ERROR(RunRounds(options, entries));
  const Entry& drop = entries[0];
  Json syn_one = Describe("syn_one", {&entries[1], &entries[3], &drop, &drop});
  Json syn_spoofed = Describe("syn_spoofed", {&entries[2], &entries[4], &drop, &drop});
  Json invite_one = Describe("invite_one", {&entries[5], nullptr, &drop, &drop});
  Json invite_spoofed = Describe("invite_spoofed", {&entries[6], nullptr, &drop, &drop});
  syn_spoofed["vs_one"] = Ratio(entries[2].mpps(), entries[1].mpps());
  invite_spoofed["vs_one"] = Ratio(entries[6].mpps(), entries[5].mpps());
  return std::vector<Json>{
      syn_one,
      syn_spoofed,
      invite_one,
      invite_spoofed,
      Reference("nftables_syn_one", entries[3]),
      Reference("nftables_syn_spoofed", entries[4]),
  };
}

}  // namespace stem
