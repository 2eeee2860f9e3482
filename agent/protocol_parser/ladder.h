// SPDX-License-Identifier: Apache-2.0
// What happened to each message of a call, in order: the call's ladder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/protocol_parser/sip_reasons.h"
#include "bpf/stem_abi.h"
#include "common/address.h"

namespace stem {

// What the agent did with a message.
enum class SipAction : uint8_t { kForwarded, kHeld, kAnswered, kAbsorbed, kDropped };

// One message and its fate. A held INVITE gives two: when it is held and when that ends.
struct SipVerdict {
  uint64_t time_ns = 0;  // CLOCK_MONOTONIC, when the message left the agent (or was dropped)
  stem_side from = STEM_SIDE_NONE;
  Endpoint source;
  Endpoint destination;
  std::string message;  // "INVITE sip:bob@example.org", "200 OK (INVITE)"
  SipAction action = SipAction::kDropped;
  int status = 0;  // kAnswered: the status the agent answered with
  SipReason reason = SipReason::malformed;
  std::string why;        // for people; may be empty
  uint64_t call = 0;      // id of the call it belongs to, 0 for none
  uint64_t delay_ns = 0;  // spent in the agent since Datagram::received_ns
  bool asked = false;     // the delay includes a decision of the security manager

  // "forwarded", "held", "answered 403", "absorbed", "dropped".
  std::string ActionText() const;
};

// Receives every verdict, on the signalling thread, after it has been carried out.
class VerdictObserver {
 public:
  virtual ~VerdictObserver() = default;
  virtual void Observe(const SipVerdict& verdict) = 0;
};

// A bounded list of verdicts: keeps the first half and the newest, counts what it left out between.
class Ladder {
 public:
  explicit Ladder(size_t limit) : limit_(limit) {}

  void Add(const SipVerdict& verdict);
  // In order of time. `omitted` steps are missing after the first limit/2.
  std::vector<SipVerdict> steps() const;
  uint64_t omitted() const { return omitted_; }

 private:
  size_t limit_;
  uint64_t omitted_ = 0;
  std::vector<SipVerdict> first_;
  std::vector<SipVerdict> last_;  // ring once full
  size_t oldest_ = 0;             // in last_
};

}  // namespace stem
