// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/stem_contestant.h"

#include "agent/dataplane/kernel_pinhole_table.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

// Every check is made and every packet passes: the limits lie above what the bench can send.
PinholeGrant GrantFor(uint32_t flow) {
  PinholeGrant grant{STEM_PEER_ENDPOINT, PeerOf(flow), STEM_MEDIA_RTP, 1 + flow};
  grant.limits.payload_types = {1, 0};  // PCMU
  grant.limits.max_length = 1500;
  grant.limits.bytes = {10'000'000'000, 100'000'000};
  grant.limits.packets = {100'000'000, 1'000'000};
  return grant;
}

// RTP sequence numbers go unchecked: two CPUs send into one pinhole.
PinholeGrant PolicedGrant(uint32_t flow, const StemContestant::ByteRate& limit) {
  PinholeGrant grant = GrantFor(flow);
  grant.limits.extras = STEM_EXTRA_MANY_SSRCS;
  grant.limits.bytes = {limit.per_second, limit.burst};
  return grant;
}

}  // namespace

DataPlaneConfig StemContestant::DefaultConfig(const std::string& name, uint32_t max_pinholes) {
  DataPlaneConfig config;
  config.name = fmt::format("bench-{}", name);
  config.outside = "outside0";
  config.inside = "inside0";
  config.sip_ports = {5060};
  config.max_calls = 1024;
  config.max_pinholes = max_pinholes;
  config.syn_guard.source.rate = kSynsPerSecond;
  config.invite_guard.invite.rate = kInvitesPerSecond;
  return config;
}

absl::StatusOr<std::unique_ptr<StemContestant>> StemContestant::Open(
    const DataPlaneConfig& config) {
  // What a killed bench left; its interfaces went with its namespace.
  RETURN_IF_ERROR(DataPlane::Remove(config.name, {}));
  ASSIGN_OR_RETURN(Contestant nobody, Nobody());
  std::unique_ptr<StemContestant> stem(new StemContestant(std::move(nobody), config.name));
  ASSIGN_OR_RETURN(stem->plane_, DataPlane::Open(config));
  return stem;
}

StemContestant::~StemContestant() {
  plane_.reset();
  (void)lab().Enter();
  (void)DataPlane::Remove(name_, {"outside0", "inside0"});
}

absl::Status StemContestant::OpenPinholes(const FlowRange& range) {
  KernelPinholeTable& table = plane_->pinholes();
  for (uint32_t i = 0; i < range.flows; ++i) {
    const uint32_t flow = range.first + i * range.stride;
    RETURN_IF_ERROR(table.Open(PinholeOf(flow), GrantFor(flow), 1));
  }
  return absl::OkStatus();
}

absl::Status StemContestant::OpenPolicedPinhole(uint32_t flow, const ByteRate& limit) {
  return plane_->pinholes().Open(PinholeOf(flow), PolicedGrant(flow, limit), 1);
}

}  // namespace stem
