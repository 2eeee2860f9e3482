// SPDX-License-Identifier: Apache-2.0
// Which pinholes a call should have now, worked out from its offers and answers. Pure: opening and
// closing is call_pinholes.h.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/dataplane/pinhole_table.h"
#include "agent/protocol_parser/call_limits.h"
#include "agent/protocol_parser/media_limits.h"
#include "agent/protocol_parser/negotiation.h"
#include "bpf/stem_abi.h"
#include "common/address.h"

namespace stem {

inline stem_side Opposite(stem_side side) {
  return side == STEM_SIDE_OUTSIDE ? STEM_SIDE_INSIDE : STEM_SIDE_OUTSIDE;
}

// What takes precedence where two parts of a call want the same pinhole.
enum class PlanRank : uint8_t {
  kEarly,           // offers and answers before the 2xx; several are merged
  kEarlyOffer,      // an offer inside an early dialog (PRACK, UPDATE)
  kConfirmed,       // the session of a confirmed dialog; the first stays
  kConfirmedOffer,  // an offer inside it: the answerer may send from a new port already
};

// An endpoint that asked for a pinhole and may not have one.
struct RefusedEndpoint {
  Endpoint endpoint;
  std::string why;  // "audio 127.0.0.1:4000: loopback address"
};

// Whose pinholes are planned.
struct PlannedCall {
  uint64_t id = 0;
  stem_side origin = STEM_SIDE_NONE;  // where the caller is
  IpAddress caller_signalling;
  IpAddress callee_signalling;
  // Who was found sending from outside through which pinhole (MediaPeer::kLatch); may be null.
  const std::map<PinholeKey, Endpoint>* latched = nullptr;
};

class PinholePlan {
 public:
  PinholePlan(const CallMonitorConfig& config, PlannedCall call) : config_(config), call_(call) {}

  // The offerer must be ready to receive once the offer is on its way (RFC 3264, 5.1): anybody
  // inside, or outside only the address the offer was sent to, may send to it. With `current`,
  // the session in force: the address the answerer has media at now; a stream offered as it is in
  // force changes nothing.
  void AddOffer(const MediaOffer& offer, const AgreedSession* current, PlanRank rank);

  // Both directions of every stream, RTP and RTCP, each from the other end's endpoint.
  void AddSession(const AgreedSession& session, PlanRank rank);

  // A pinhole as it stands, taken over from an earlier agent.
  void Keep(const PinholeKey& key, const PinholeGrant& grant);

  struct Wanted {
    PinholeGrant grant;
    PlanRank rank = PlanRank::kEarly;
  };
  const std::map<PinholeKey, Wanted>& wanted() const { return wanted_; }
  const std::vector<RefusedEndpoint>& refused() const { return refused_; }

 private:
  struct Flow {
    Endpoint destination;
    stem_side from = STEM_SIDE_NONE;
    stem_peer_match match = STEM_PEER_NONE;
    Endpoint peer;
    stem_media media = STEM_MEDIA_NONE;
    const std::vector<DeclaredStream>* streams = nullptr;
  };
  // Stream number `index` of both ends, the second null before an answer.
  struct StreamPair {
    const SessionDescription& receiver;
    const SessionDescription* sender;
    size_t index;
    stem_side from;
  };
  stem_side SideOf(Party party) const;
  bool Allowed(const std::string& media, const Endpoint& endpoint);
  void Add(const Flow& flow, PlanRank rank);
  PinholeGrant GrantFor(const Flow& flow) const;
  void AddStreamPair(const StreamPair& pair, PlanRank rank);
  IpAddress LatchedFrom(const Flow& flow) const;
  // `flow`, and the same to where its receiver was found to send from: what is behind an address
  // translation is reached there, not at what it names.
  void AddWithReturn(const Flow& flow, PlanRank rank);

  const CallMonitorConfig& config_;
  const PlannedCall call_;
  std::map<PinholeKey, Wanted> wanted_;
  std::vector<RefusedEndpoint> refused_;
};

}  // namespace stem
