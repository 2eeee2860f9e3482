// SPDX-License-Identifier: Apache-2.0
#include "agent/control_messages.h"

#include "agent/dataplane/counter_reader.h"
#include "agent/pattern_matcher/rule_kinds.h"
#include "common/clock.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr int64_t kNsPerUs = 1000;
constexpr int64_t kNsPerMs = 1'000'000;

int64_t WallMs(uint64_t monotonic_ns) { return WallNanoseconds(monotonic_ns) / kNsPerMs; }
int64_t WallUs(uint64_t monotonic_ns) { return WallNanoseconds(monotonic_ns) / kNsPerUs; }

// From `earlier` to `later`; the kernel's coarse clock may be a little behind ours.
int64_t ElapsedMs(uint64_t earlier, uint64_t later) {
  return later > earlier ? static_cast<int64_t>(later - earlier) / kNsPerMs : 0;
}

std::string PeerText(const PinholeGrant& grant) {
  switch (grant.match) {
    case STEM_PEER_ENDPOINT:
      return grant.peer.ToString();
    case STEM_PEER_ADDRESS:
      return grant.peer.address.ToString();
    case STEM_PEER_ANY:
      return "any";
    case STEM_PEER_LATCH:
      return fmt::format("first of {}", grant.peer.address.ToString());
    default:
      return "nobody";
  }
}

const char* MediaText(stem_media media) {
  switch (media) {
    case STEM_MEDIA_RTP:
      return "rtp";
    case STEM_MEDIA_RTCP:
      return "rtcp";
    case STEM_MEDIA_RTP_RTCP:
      return "rtp+rtcp";
    case STEM_MEDIA_UDP:
      return "udp";
    default:
      return "none";
  }
}

// For what a packet carries; the number alone would not say what it counts.
std::string CarriedText(uint8_t protocol) {
  const std::string name = ProtocolName(protocol);
  return name == fmt::format("{}", protocol) ? "protocol " + name : name;
}

// Most events are drops; a module in observe also tells what else it would have done.
const char* EventVerdict(const stem_event& event) {
  if (event.observed == 0) return "dropped";
  if (event.reason == STEM_REASON_media_relayed) return "would be relayed";
  if (event.reason == STEM_REASON_sip_rate_to_agent) return "would be answered";
  return "would be dropped";
}

}  // namespace

std::string CallIdText(uint64_t id) { return fmt::format("{:016x}", id); }

v1::Side ToMessage(stem_side side) {
  switch (side) {
    case STEM_SIDE_OUTSIDE:
      return v1::SIDE_OUTSIDE;
    case STEM_SIDE_INSIDE:
      return v1::SIDE_INSIDE;
    default:
      return v1::SIDE_UNSPECIFIED;
  }
}

v1::Endpoint ToMessage(const Endpoint& endpoint) {
  v1::Endpoint out;
  out.set_address(endpoint.address.ToString());
  out.set_port(endpoint.port);
  return out;
}

v1::MediaLimits ToMessage(const MediaLimits& limits) {
  v1::MediaLimits out;
  out.set_bytes_per_second(limits.bytes.per_second);
  out.set_bytes_burst(limits.bytes.burst);
  out.set_packets_per_second(limits.packets.per_second);
  out.set_packets_burst(limits.packets.burst);
  out.set_max_length(limits.max_length);
  for (uint32_t type = 0; type < 128; ++type) {
    if ((limits.payload_types[type / 64] >> type % 64 & 1) != 0) out.add_payload_types(type);
  }
  return out;
}

v1::Pinhole ToMessage(const Pinhole& pinhole, uint64_t now_ns) {
  v1::Pinhole out;
  *out.mutable_destination() = ToMessage(pinhole.key.destination);
  out.set_from(ToMessage(pinhole.key.from));
  out.set_peer(pinhole.use.latched ? pinhole.use.latched->ToString() : PeerText(pinhole.grant));
  out.set_media(MediaText(pinhole.grant.media));
  out.set_call(CallIdText(pinhole.grant.call));
  out.set_packets(pinhole.use.packets);
  out.set_bytes(pinhole.use.bytes);
  out.set_idle_ms(pinhole.use.last_seen_ns == 0 ? -1 : ElapsedMs(pinhole.use.last_seen_ns, now_ns));
  out.set_age_ms(ElapsedMs(pinhole.use.opened_ns, now_ns));
  out.set_wrong_peer(pinhole.use.wrong_peer);
  out.set_too_fast(pinhole.use.too_fast);
  out.set_refused(pinhole.use.refused);
  *out.mutable_limits() = ToMessage(pinhole.grant.limits);
  return out;
}

v1::LadderStep ToMessage(const SipVerdict& verdict) {
  v1::LadderStep out;
  out.set_unix_us(WallUs(verdict.time_ns));
  out.set_from(ToMessage(verdict.from));
  out.set_message(verdict.message);
  out.set_verdict(verdict.ActionText());
  // A message that just goes its way needs no reason beside it.
  const SipReasonText& reason = Describe(verdict.reason);
  const bool routine = verdict.action == SipAction::kForwarded && !reason.is_drop;
  out.set_why(verdict.why.empty() && !routine ? std::string(reason.meaning) : verdict.why);
  out.set_delay_us(static_cast<double>(verdict.delay_ns) / kNsPerUs);
  *out.mutable_source() = ToMessage(verdict.source);
  *out.mutable_destination() = ToMessage(verdict.destination);
  return out;
}

v1::Call ToMessage(const CallView& call) {
  v1::Call out;
  out.set_id(CallIdText(call.id));
  out.set_call_id(call.call_id);
  out.set_caller(call.caller);
  out.set_callee(call.callee);
  out.set_state(std::string(CallStateText(call.state)));
  out.set_outcome(call.outcome);
  out.set_origin(ToMessage(call.origin));
  out.set_started_unix_ms(WallMs(call.started_ns));
  out.set_answered_unix_ms(WallMs(call.answered_ns));
  out.set_ended_unix_ms(WallMs(call.ended_ns));
  out.set_adopted(call.adopted);
  out.set_pinhole_count(static_cast<uint32_t>(call.pinholes.size()));
  out.set_why(call.why);
  *out.mutable_caller_signalling() = ToMessage(call.caller_signalling);
  *out.mutable_callee_signalling() = ToMessage(call.callee_signalling);
  return out;
}

v1::Rule ToMessage(const Rule& rule) {
  v1::Rule out;
  out.set_name(rule.name);
  out.set_comment(rule.comment);
  out.set_action(ActionText(rule.action));
  out.set_from(ToMessage(rule.from));
  if (rule.protocol) out.set_protocol(ProtocolName(*rule.protocol));
  if (rule.icmp_type) out.set_icmp_type(fmt::format("{}", *rule.icmp_type));
  out.set_tcp_flags(FlagsText(rule.tcp_flags));
  if (rule.source) out.set_source(rule.source->ToString());
  if (rule.destination) out.set_destination(rule.destination->ToString());
  out.set_source_ports(PortsText(rule.source_ports));
  out.set_destination_ports(PortsText(rule.destination_ports));
  out.set_written_at(rule.place);
  return out;
}

v1::Event ToEvent(const SipVerdict& verdict) {
  v1::Event out;
  out.set_unix_us(WallUs(verdict.time_ns));
  out.set_from(ToMessage(verdict.from));
  out.set_kind("sip");
  out.set_what(fmt::format("{} {} > {}", verdict.message, verdict.source.ToString(),
                           verdict.destination.ToString()));
  out.set_verdict(verdict.ActionText());
  const SipReasonText& reason = Describe(verdict.reason);
  out.set_why(verdict.why.empty() ? std::string(reason.name)
                                  : fmt::format("{}: {}", reason.name, verdict.why));
  if (verdict.call != 0) out.set_call(CallIdText(verdict.call));
  return out;
}

v1::Event ToEvent(const stem_event& drop, const std::string& rule) {
  v1::Event out;
  out.set_unix_us(WallUs(drop.time_ns));
  out.set_from(ToMessage(drop.side));
  out.set_kind("packet");
  const Endpoint source{IpAddress::FromV6(drop.source), drop.source_port};
  const Endpoint destination{IpAddress::FromV6(drop.destination), drop.destination_port};
  out.set_what(fmt::format("{} {} > {}, {} bytes", CarriedText(drop.protocol), source.ToString(),
                           destination.ToString(), drop.length));
  const ReasonInfo reason = DescribeReason(drop.reason);
  out.set_verdict(EventVerdict(drop));
  out.set_observed(drop.observed != 0);
  out.set_why(std::string(reason.name));
  out.set_module(std::string(ModuleName(reason.module)));
  if (!rule.empty()) out.set_why(fmt::format("{} (rule {})", out.why(), rule));
  out.set_lost(drop.suppressed);
  return out;
}

}  // namespace stem
