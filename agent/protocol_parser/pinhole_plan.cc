// SPDX-License-Identifier: Apache-2.0
#include "agent/protocol_parser/pinhole_plan.h"

#include <algorithm>
#include <optional>

#include "fmt/format.h"

namespace stem {
namespace {

Endpoint Shift(const Endpoint& endpoint, unsigned pair) {
  return {endpoint.address, static_cast<uint16_t>(endpoint.port + 2 * pair)};
}

// Addresses that mean something only within a site: RFC 1918, 6598, 3927, 4193, and link-local.
bool IsPrivate(const IpAddress& address) {
  static const std::vector<Prefix> kPrivate = [] {
    std::vector<Prefix> out;
    for (const char* text : {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
                             "169.254.0.0/16", "fc00::/7", "fe80::/10"}) {
      out.push_back(*Prefix::Parse(text));
    }
    return out;
  }();
  return std::any_of(kPrivate.begin(), kPrivate.end(),
                     [&](const Prefix& prefix) { return prefix.Contains(address); });
}

// Why no media may go to `endpoint`, or nullptr.
const char* EndpointDefect(const Endpoint& endpoint, const CallMonitorConfig& config) {
  if (endpoint.address.is_loopback()) return "loopback address";
  if (endpoint.address.is_multicast()) return "multicast or broadcast address";
  if (endpoint.port < config.lowest_media_port) return "port below the lowest for media";
  const auto& ports = config.signalling_ports;
  if (std::find(ports.begin(), ports.end(), endpoint.port) != ports.end()) {
    return "signalling port";
  }
  return nullptr;
}

stem_media RtpMedia(const MediaStream& stream, bool mux) {
  if (stream.kind != MediaTransport::kRtp) return STEM_MEDIA_UDP;
  return mux ? STEM_MEDIA_RTP_RTCP : STEM_MEDIA_RTP;
}

// The streams that share a pinhole with number `index`: itself, and those of its bundle.
std::vector<DeclaredStream> Bundled(const SessionDescription& receiver,
                                    const SessionDescription* sender, size_t index) {
  std::vector<DeclaredStream> out;
  const int bundle = receiver.streams[index].bundle;
  for (size_t i = 0; i < receiver.streams.size(); ++i) {
    if (i != index && (bundle == 0 || receiver.streams[i].bundle != bundle)) continue;
    const bool answered = sender != nullptr && i < sender->streams.size();
    out.push_back({&receiver.streams[i], answered ? &sender->streams[i] : nullptr});
  }
  return out;
}

// RTP on one port with something else is a bundle's data channel, which runs over DTLS (RFC 8841).
stem_media Both(stem_media a, stem_media b) { return a == b ? a : STEM_MEDIA_RTP_RTCP; }

// Two parts of a call not yet confirmed want one pinhole for different peers: forks. From inside
// both may send; from outside only the newer may, unless one address covers both.
void Merge(PinholeGrant& grant, const PinholeGrant& newer, stem_side from) {
  grant.media = Both(grant.media, newer.media);
  grant.limits = Either(grant.limits, newer.limits);
  const bool any = grant.match == STEM_PEER_ANY || newer.match == STEM_PEER_ANY;
  const bool same_address = !any && grant.peer.address == newer.peer.address;
  if (same_address && grant.match == newer.match && grant.peer.port == newer.peer.port) return;
  if (same_address) {
    grant.match = STEM_PEER_ADDRESS;
    grant.peer.port = 0;
  } else if (from == STEM_SIDE_INSIDE) {
    grant.match = STEM_PEER_ANY;
    grant.peer = Endpoint();
  } else {
    grant.match = newer.match;
    grant.peer = newer.peer;
  }
}

// A session refresh (RFC 4028) offers what is there already: nobody need be let in for it, and who
// sends now goes on as before.
bool OffersTheSame(const MediaOffer& offer, const AgreedSession& current, size_t index) {
  const std::vector<MediaStream>& mine = current.of(offer.by).streams;
  const std::vector<MediaStream>& others = current.of(Other(offer.by)).streams;
  return index < mine.size() && index < others.size() && !others[index].rejected() &&
         mine[index] == offer.description.streams[index];
}

}  // namespace

stem_side PinholePlan::SideOf(Party party) const {
  return party == Party::kCaller ? call_.origin : Opposite(call_.origin);
}

bool PinholePlan::Allowed(const std::string& media, const Endpoint& endpoint) {
  if (endpoint.address.is_unspecified() || endpoint.port == 0) return false;  // held or rejected
  const char* defect = EndpointDefect(endpoint, config_);
  if (defect == nullptr) return true;
  refused_.push_back(
      {endpoint, fmt::format("no pinhole for {} {}: {}", media, endpoint.ToString(), defect)});
  return false;
}

// Who may take the latch: the address the sender named. A party outside that names a private one is
// behind an address translation: its media is taken to come from where its signalling does. Inside,
// private addresses are reached as they are.
IpAddress PinholePlan::LatchedFrom(const Flow& flow) const {
  if (flow.from == STEM_SIDE_INSIDE || !IsPrivate(flow.peer.address)) return flow.peer.address;
  return flow.from == call_.origin ? call_.caller_signalling : call_.callee_signalling;
}

PinholeGrant PinholePlan::GrantFor(const Flow& flow) const {
  PinholeGrant grant{flow.match, flow.peer, flow.media, call_.id,
                     LimitsOf(config_.media, flow.media, *flow.streams)};
  if (grant.match == STEM_PEER_ENDPOINT && config_.media_peer == MediaPeer::kAddress) {
    grant.match = STEM_PEER_ADDRESS;
  }
  if (grant.match == STEM_PEER_ENDPOINT && config_.media_peer == MediaPeer::kLatch) {
    grant.match = STEM_PEER_LATCH;
    grant.peer = {LatchedFrom(flow), 0};
  }
  if (grant.match == STEM_PEER_ADDRESS) grant.peer.port = 0;
  if (grant.match == STEM_PEER_ANY) grant.peer = Endpoint();
  return grant;
}

void PinholePlan::Add(const Flow& flow, PlanRank rank) {
  const PinholeGrant grant = GrantFor(flow);
  const auto [at, added] = wanted_.try_emplace({flow.destination, flow.from}, Wanted{grant, rank});
  if (added) return;
  Wanted& present = at->second;
  const bool same_stream = present.grant.peer.address == grant.peer.address;
  if (rank > present.rank) {
    const MediaLimits before = present.grant.limits;
    present = Wanted{grant, rank};
    // Until the answer both the old and the new may come (RFC 3264, 8.3.2).
    if (rank == PlanRank::kConfirmedOffer || rank == PlanRank::kEarlyOffer) {
      present.grant.limits = Either(before, grant.limits);
    }
  } else if (rank == present.rank && (rank < PlanRank::kConfirmed || same_stream)) {
    Merge(present.grant, grant, flow.from);
  }
}

void PinholePlan::AddOffer(const MediaOffer& offer, const AgreedSession* current, PlanRank rank) {
  const stem_side from = Opposite(SideOf(offer.by));
  for (size_t i = 0; i < offer.description.streams.size(); ++i) {
    const MediaStream& stream = offer.description.streams[i];
    if (stream.rejected() || stream.kind == MediaTransport::kOther) continue;
    if (current != nullptr && OffersTheSame(offer, *current, i)) continue;
    const std::vector<DeclaredStream> streams = Bundled(offer.description, nullptr, i);
    Flow flow;
    flow.streams = &streams;
    flow.from = from;
    flow.match = from == STEM_SIDE_INSIDE ? STEM_PEER_ANY : STEM_PEER_ADDRESS;
    flow.peer.address = offer.answerer;
    if (current != nullptr && i < current->of(Other(offer.by)).streams.size()) {
      const MediaStream& peer = current->of(Other(offer.by)).streams[i];
      if (!peer.rejected() && !peer.rtp.address.is_unspecified()) {
        flow.match = STEM_PEER_ADDRESS;
        flow.peer.address = peer.rtp.address;
      }
    }
    for (unsigned pair = 0; pair < stream.port_pairs; ++pair) {
      flow.destination = Shift(stream.rtp, pair);
      flow.media = RtpMedia(stream, stream.rtcp_mux);
      if (!Allowed(stream.media, flow.destination)) continue;  // nor for its RTCP
      if (stream.receives()) Add(flow, rank);
      if (!stream.rtcp) continue;
      flow.destination = Shift(*stream.rtcp, pair);
      flow.media = STEM_MEDIA_RTCP;
      if (Allowed(stream.media + " RTCP", flow.destination)) Add(flow, rank);
    }
  }
}

void PinholePlan::AddWithReturn(const Flow& flow, PlanRank rank) {
  Add(flow, rank);
  if (call_.latched == nullptr || flow.from != STEM_SIDE_INSIDE) return;
  const auto found = call_.latched->find({flow.peer, Opposite(flow.from)});
  if (found == call_.latched->end() || found->second == flow.destination) return;
  if (EndpointDefect(found->second, config_) != nullptr) return;
  Flow back = flow;
  back.destination = found->second;
  Add(back, rank);
}

void PinholePlan::AddStreamPair(const StreamPair& pair, PlanRank rank) {
  const MediaStream& receiver = pair.receiver.streams[pair.index];
  const MediaStream& sender = pair.sender->streams[pair.index];
  if (sender.rtp.address.is_unspecified()) return;  // held: nobody to receive from
  const std::vector<DeclaredStream> streams = Bundled(pair.receiver, pair.sender, pair.index);
  const bool mux = receiver.rtcp_mux && sender.rtcp_mux;
  const unsigned pairs = std::min(receiver.port_pairs, sender.port_pairs);
  for (unsigned number = 0; number < pairs; ++number) {
    Flow flow;
    flow.streams = &streams;
    flow.from = pair.from;
    flow.match = STEM_PEER_ENDPOINT;
    flow.destination = Shift(receiver.rtp, number);
    flow.peer = Shift(sender.rtp, number);
    flow.media = RtpMedia(receiver, mux);
    if (!Allowed(receiver.media, flow.destination)) continue;  // nor for its RTCP
    AddWithReturn(flow, rank);
    if (mux || !receiver.rtcp || !sender.rtcp) continue;
    flow.destination = Shift(*receiver.rtcp, number);
    flow.peer = Shift(*sender.rtcp, number);
    flow.media = STEM_MEDIA_RTCP;
    if (Allowed(receiver.media + " RTCP", flow.destination)) AddWithReturn(flow, rank);
  }
}

void PinholePlan::AddSession(const AgreedSession& session, PlanRank rank) {
  const size_t streams = std::min(session.caller.streams.size(), session.callee.streams.size());
  for (size_t i = 0; i < streams; ++i) {
    const MediaStream& caller = session.caller.streams[i];
    const MediaStream& callee = session.callee.streams[i];
    if (caller.rejected() || callee.rejected()) continue;
    if (caller.kind == MediaTransport::kOther || callee.kind == MediaTransport::kOther) continue;
    AddStreamPair({session.caller, &session.callee, i, SideOf(Party::kCallee)}, rank);
    AddStreamPair({session.callee, &session.caller, i, SideOf(Party::kCaller)}, rank);
  }
}

void PinholePlan::Keep(const PinholeKey& key, const PinholeGrant& grant) {
  wanted_.try_emplace(key, Wanted{grant, PlanRank::kConfirmed});
}

}  // namespace stem
