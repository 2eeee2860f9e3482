// SPDX-License-Identifier: Apache-2.0
// rtp_relay, rtp_relay_1m and rtp_unknown.
#include <memory>
#include <string>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "tests/bench/measure.h"
#include "tests/bench/stem_contestant.h"

namespace stem {
namespace {

constexpr FlowRange kFew{64, 0x20000};
constexpr FlowRange kMany{16384};
constexpr FlowRange kMillion{1'000'000};
constexpr FlowRange kActiveOfMillion{16384, 0, 61};
constexpr FlowRange kUnknown{16384, 0x100000};

// The media of the flows, known to conntrack, below a limit of bytes for each; the SIP helper reads
// what goes to port 5060. The flows' first packets stand for what a call would have opened.
constexpr char kConntrackAndLimit[] = R"(
table ip bench {
  ct helper sip { type "sip" protocol udp; l3proto ip; }
  set flows {
    type ipv4_addr . inet_service . ipv4_addr . inet_service
    size 65536
    flags dynamic
  }
  chain prerouting {
    type filter hook prerouting priority filter; policy accept
    udp dport 5060 ct helper set "sip"
  }
  chain forward {
    type filter hook forward priority filter; policy drop
    add @flows { ip saddr . udp sport . ip daddr . udp dport limit rate over 1000 mbytes/second burst 10 mbytes } drop
    ct state established,related accept
    udp dport 10000-50000 ct state new accept
  }
}
)";

// The addresses and ports of open media are allowed, all else is dropped.
std::string IngressAllowlist(const FlowRange& open) {
  std::string elements;
  for (uint32_t i = 0; i < open.flows; ++i) {
    const Endpoint at = PinholeOf(open.first + i * open.stride).destination;
    elements += fmt::format("{}{} . {}", i > 0 ? ", " : "", at.address.ToString(), at.port);
  }
  return fmt::format(R"(
table netdev bench {{
  set open {{
    type ipv4_addr . inet_service
    elements = {{ {} }}
  }}
  chain ingress {{
    type filter hook ingress device "outside0" priority filter; policy drop
    ip daddr . udp dport @open accept
  }}
}}
)",
                     elements);
}

}  // namespace

absl::StatusOr<std::vector<Json>> MeasureMedia(const BenchOptions& options) {
  ASSIGN_OR_RETURN(auto bare_relay, Contestant::BareRelay());
  ASSIGN_OR_RETURN(auto bare_drop, Contestant::BareDrop());
  ASSIGN_OR_RETURN(auto conntrack, Contestant::Nftables(kConntrackAndLimit));
  ASSIGN_OR_RETURN(auto allowlist, Contestant::Nftables(IngressAllowlist(kMany)));
  ASSIGN_OR_RETURN(auto stem, StemContestant::Open(StemContestant::DefaultConfig("media", 65536)));
  RETURN_IF_ERROR(stem->OpenPinholes(kFew));
  RETURN_IF_ERROR(stem->OpenPinholes(kMany));
  ASSIGN_OR_RETURN(auto stem_1m,
                   StemContestant::Open(StemContestant::DefaultConfig("media-1m", kMillion.flows)));
  RETURN_IF_ERROR(stem_1m->OpenPinholes(kMillion));

  const auto rtp = [](const FlowRange& range) { return OneStream(TRAFFIC_RTP, range); };
  std::vector<Entry> entries = {
      {"generator alone", bare_drop.get(), rtp(kMany), Duty::kDrop, false},
      {"bare drop", bare_drop.get(), rtp(kMany)},
      {"bare relay, 64 flows", bare_relay.get(), rtp(kFew), Duty::kRelay},
      {"bare relay", bare_relay.get(), rtp(kMany), Duty::kRelay},
      {"STEM, 64 flows", stem.get(), rtp(kFew), Duty::kRelay},
      {"STEM", stem.get(), rtp(kMany), Duty::kRelay},
      {"STEM, a million pinholes", stem_1m.get(), rtp(kActiveOfMillion), Duty::kRelay},
      {"nftables, 64 flows", conntrack.get(), rtp(kFew), Duty::kRelay},
      {"nftables", conntrack.get(), rtp(kMany), Duty::kRelay},
      {"STEM, unknown media", stem.get(), rtp(kUnknown)},
      {"nftables, unknown media", allowlist.get(), rtp(kUnknown)},
  };
  RETURN_IF_ERROR(RunRounds(options, entries));
  const Entry& alone = entries[0];
  const Entry& drop = entries[1];
  std::vector<Json> results = {
      Reference("generator_alone", alone),
      Reference("bare_drop", drop),
      Reference("bare_relay", entries[3]),
      Reference("nftables_relay", entries[8]),
      Reference("nftables_unknown", entries[10]),
      Describe("rtp_relay_64", {&entries[4], &entries[7], &entries[2], &drop}),
      Describe("rtp_relay", {&entries[5], &entries[8], &entries[3], &drop}),
      Describe("rtp_relay_1m", {&entries[6], &entries[8], &entries[3], &drop}),
      Describe("rtp_unknown", {&entries[9], &entries[10], &drop, &drop}),
  };
  results[7]["vs_rtp_relay"] = Ratio(entries[6].mpps(), entries[5].mpps());
  return results;
}

}  // namespace stem
