// SPDX-License-Identifier: Apache-2.0
// What is known about one call: its INVITEs, its dialogs, its pinholes, its deadlines.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/dataplane/pinhole_table.h"
#include "agent/flow_monitor/stream_watch.h"
#include "agent/protocol_parser/call_view.h"
#include "agent/protocol_parser/datagram.h"
#include "agent/protocol_parser/ladder.h"
#include "agent/protocol_parser/negotiation.h"
#include "agent/protocol_parser/pinhole_plan.h"
#include "bpf/stem_abi.h"

namespace stem {

// What a call is found by. The side belongs to it because a call from outside that the proxy
// inside sends out again crosses the firewall twice with the same Call-ID and tag: two calls.
// Addresses and ports do not: a trunk carries all its calls between two of them.
struct CallKey {
  std::string call_id;
  std::string caller_tag;
  stem_side origin = STEM_SIDE_NONE;

  bool operator==(const CallKey&) const = default;
};

template <typename H>
H AbslHashValue(H h, const CallKey& key) {
  return H::combine(std::move(h), key.call_id, key.caller_tag, static_cast<int>(key.origin));
}

// The first 8 bytes of SHA-256 over the key: the same after a restart. Never 0.
uint64_t CallIdentity(const CallKey& key);

// An INVITE that waits for its decision.
struct HeldInvite {
  Datagram datagram;
  std::string summary;
};

// One initial INVITE of the call. A proxy outside may send several at once (forking), and a caller
// tries again after a 401 or 302.
struct InviteBranch {
  enum class Stage : uint8_t { kHeld, kPending, kDone };
  uint64_t transaction = 0;     // serial
  std::string transaction_key;  // empty for one an earlier agent forwarded
  Stage stage = Stage::kHeld;
  std::optional<MediaOffer> offer;
  std::optional<HeldInvite> held;
};

// A dialog, early or confirmed (RFC 3261, 12), by the tag the callee's end chose.
struct Dialog {
  std::string callee_tag;
  uint64_t branch = 0;  // transaction serial of its INVITE
  bool confirmed = false;
  std::optional<uint32_t> caller_cseq;  // highest seen
  std::optional<uint32_t> callee_cseq;
  Negotiation negotiation;
  uint64_t bye_deadline_ns = 0;  // 0 unless a BYE waits for its final response

  std::optional<uint32_t>& cseq_of(Party party) {
    return party == Party::kCaller ? caller_cseq : callee_cseq;
  }
};

struct Call {
  Call(CallKey call_key, size_t ladder_steps) : key(std::move(call_key)), ladder(ladder_steps) {}

  CallKey key;
  uint64_t id = 0;
  CallState state = CallState::kDeciding;
  std::string caller;
  std::string callee;
  std::string why;
  std::string outcome;
  Endpoint caller_signalling;
  Endpoint callee_signalling;
  uint32_t cseq = 0;  // of the newest initial INVITE
  uint64_t started_ns = 0;
  uint64_t answered_ns = 0;
  uint64_t ended_ns = 0;
  uint64_t adopted_ns = 0;  // 0 unless taken over from an earlier agent
  std::vector<InviteBranch> branches;
  std::vector<Dialog> dialogs;
  std::map<PinholeKey, PinholeGrant> open;     // pinholes it has now
  std::map<PinholeKey, PinholeGrant> adopted;  // kept until an answer replaces them
  std::set<PinholeKey> denied;                 // wanted, but a static rule denies their media
  std::set<Endpoint> refused_endpoints;        // already told about
  std::map<PinholeKey, Endpoint> latched;      // who sends from outside, where that was left open
  std::set<PinholeKey> lowered;                // streams whose rate was lowered
  std::map<PinholeKey, StreamWatch::Counts> watched;  // at watched_since_ns
  uint64_t watched_since_ns = 0;
  uint64_t watch_ns = 0;  // when the streams are looked at next; 0: not
  bool media_expected = false;
  uint64_t media_since_ns = 0;  // when media was last due to start or resume
  uint64_t ring_deadline_ns = 0;
  uint64_t idle_check_ns = 0;
  uint64_t deadline_ns = 0;  // soonest of all; of the DeadlineQueue
  Ladder ladder;

  // The end that sends from `side`.
  Party SenderFrom(stem_side side) const {
    return side == key.origin ? Party::kCaller : Party::kCallee;
  }
  Dialog* FindDialog(std::string_view callee_tag);
  InviteBranch* FindBranch(uint64_t transaction);
  bool HasConfirmedDialog() const;
  bool HasPendingBranch() const;  // held ones too
  size_t EarlyDialogsOf(uint64_t branch) const;
  // Forgets the early dialogs of `branch`, or of all branches.
  void DropEarlyDialogs(std::optional<uint64_t> branch);

  PinholePlan Plan(const CallMonitorConfig& config) const;
  // Whether an established call should have media now: not while every stream is held.
  bool MediaExpected() const;

  CallView View() const;  // without ladder
  stem_call Record() const;
};

// A call made from its record; without dialogs' media, which only the pinholes tell.
Call CallFromRecord(uint64_t id, const stem_call& record, size_t ladder_steps);

// The caller's offer as its adopted pinholes show it: for an INVITE an earlier agent forwarded.
// nullopt when they show none (a delayed offer).
std::optional<SessionDescription> OfferFromPinholes(const Call& call);

}  // namespace stem
