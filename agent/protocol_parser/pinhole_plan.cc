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

// Two parts of a call not yet confirmed want one pinhole for different peers: forks. From inside
// both may send; from outside only the newer may, unless one address covers both.
void Merge(PinholeGrant& grant, const PinholeGrant& newer, stem_side from) {
  if (grant.media != newer.media) grant.media = STEM_MEDIA_RTP_RTCP;
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

}  // namespace

PinholePlan::PinholePlan(const CallMonitorConfig& config, uint64_t call, stem_side origin)
    : config_(config), call_(call), origin_(origin) {}

stem_side PinholePlan::SideOf(Party party) const {
  return party == Party::kCaller ? origin_ : Opposite(origin_);
}

bool PinholePlan::Allowed(const std::string& media, const Endpoint& endpoint) {
  if (endpoint.address.is_unspecified() || endpoint.port == 0) return false;  // held or rejected
  const char* defect = EndpointDefect(endpoint, config_);
  if (defect == nullptr) return true;
  refused_.push_back(
      {endpoint, fmt::format("no pinhole for {} {}: {}", media, endpoint.ToString(), defect)});
  return false;
}

void PinholePlan::Add(const Flow& flow, PlanRank rank) {
  const PinholeKey key{flow.destination, flow.from};
  PinholeGrant grant{flow.match, flow.peer, flow.media, call_};
  if (grant.match == STEM_PEER_ENDPOINT && config_.media_peer == MediaPeer::kAddress) {
    grant.match = STEM_PEER_ADDRESS;
  }
  if (grant.match == STEM_PEER_ADDRESS) grant.peer.port = 0;
  if (grant.match == STEM_PEER_ANY) grant.peer = Endpoint();
  const auto [at, added] = wanted_.try_emplace(key, Wanted{grant, rank});
  if (added) return;
  Wanted& present = at->second;
  const bool same_stream = present.grant.peer.address == grant.peer.address;
  if (rank > present.rank) {
    present = Wanted{grant, rank};
  } else if (rank == present.rank && (rank < PlanRank::kConfirmed || same_stream)) {
    Merge(present.grant, grant, flow.from);
  }
}

void PinholePlan::AddOffer(const MediaOffer& offer, const AgreedSession* current, PlanRank rank) {
  const stem_side from = Opposite(SideOf(offer.by));
  for (size_t i = 0; i < offer.description.streams.size(); ++i) {
    const MediaStream& stream = offer.description.streams[i];
    if (stream.rejected() || stream.kind == MediaTransport::kOther) continue;
    Flow flow;
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
      flow.media = stream.rtcp_mux ? STEM_MEDIA_RTP_RTCP : STEM_MEDIA_RTP;
      if (!Allowed(stream.media, flow.destination)) continue;  // nor for its RTCP
      if (stream.receives()) Add(flow, rank);
      if (!stream.rtcp) continue;
      flow.destination = Shift(*stream.rtcp, pair);
      flow.media = STEM_MEDIA_RTCP;
      if (Allowed(stream.media + " RTCP", flow.destination)) Add(flow, rank);
    }
  }
}

void PinholePlan::AddStreamPair(const MediaStream& receiver, const MediaStream& sender,
                                stem_side from, PlanRank rank) {
  if (sender.rtp.address.is_unspecified()) return;  // held: nobody to receive from
  const bool mux = receiver.rtcp_mux && sender.rtcp_mux;
  const unsigned pairs = std::min(receiver.port_pairs, sender.port_pairs);
  for (unsigned pair = 0; pair < pairs; ++pair) {
    Flow flow;
    flow.from = from;
    flow.match = STEM_PEER_ENDPOINT;
    flow.destination = Shift(receiver.rtp, pair);
    flow.peer = Shift(sender.rtp, pair);
    flow.media = mux ? STEM_MEDIA_RTP_RTCP : STEM_MEDIA_RTP;
    if (!Allowed(receiver.media, flow.destination)) continue;  // nor for its RTCP
    Add(flow, rank);
    if (mux || !receiver.rtcp || !sender.rtcp) continue;
    flow.destination = Shift(*receiver.rtcp, pair);
    flow.peer = Shift(*sender.rtcp, pair);
    flow.media = STEM_MEDIA_RTCP;
    if (Allowed(receiver.media + " RTCP", flow.destination)) Add(flow, rank);
  }
}

void PinholePlan::AddSession(const AgreedSession& session, PlanRank rank) {
  const size_t streams = std::min(session.caller.streams.size(), session.callee.streams.size());
  for (size_t i = 0; i < streams; ++i) {
    const MediaStream& caller = session.caller.streams[i];
    const MediaStream& callee = session.callee.streams[i];
    if (caller.rejected() || callee.rejected()) continue;
    if (caller.kind == MediaTransport::kOther || callee.kind == MediaTransport::kOther) continue;
    AddStreamPair(caller, callee, SideOf(Party::kCallee), rank);
    AddStreamPair(callee, caller, SideOf(Party::kCaller), rank);
  }
}

void PinholePlan::Keep(const PinholeKey& key, const PinholeGrant& grant) {
  wanted_.try_emplace(key, Wanted{grant, PlanRank::kConfirmed});
}

}  // namespace stem
