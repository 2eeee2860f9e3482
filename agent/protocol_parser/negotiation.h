// SPDX-License-Identifier: Apache-2.0
// Offer and answer within one dialog (RFC 3264), whatever messages carry them: INVITE and its
// responses, ACK (delayed offer), PRACK (RFC 3262), UPDATE (RFC 3311).
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "agent/protocol_parser/session_description.h"
#include "common/address.h"

namespace stem {

// The two ends of a call: who sent the first INVITE, and who answers it.
enum class Party : uint8_t { kCaller, kCallee };
inline Party Other(Party party) {
  return party == Party::kCaller ? Party::kCallee : Party::kCaller;
}

struct MediaOffer {
  Party by = Party::kCaller;
  SessionDescription description;
  IpAddress answerer;        // where the message with the offer was sent
  uint64_t transaction = 0;  // that carried it
};

// Both ends' descriptions after an answer; streams with the same index belong together.
struct AgreedSession {
  SessionDescription caller;
  SessionDescription callee;

  const SessionDescription& of(Party party) const {
    return party == Party::kCaller ? caller : callee;
  }
  // True unless every stream is rejected or held by an end.
  bool MediaExpected() const;
};

class Negotiation {
 public:
  // What a session description can be in the message that carries it.
  enum class Carrier : uint8_t {
    kOffer,          // INVITE, UPDATE
    kAnswer,         // ACK, responses to UPDATE and PRACK
    kOfferOrAnswer,  // responses to INVITE, PRACK
  };
  enum class Role : uint8_t {
    kOffer,
    kAnswer,
    kRevision,  // an answer given again with other content (a 2xx that differs from its 183)
    kIgnored,   // neither: an offer while another is open (RFC 3264, 4), a copy in a late 2xx
  };

  // Takes the description `sender` sent to `sent_to` in `transaction` (for responses: their
  // request's), and says what it was.
  Role Take(uint64_t transaction, Carrier carrier, Party sender, const IpAddress& sent_to,
            SessionDescription description);

  // A final response ended `transaction`. An offer it leaves unanswered is gone, except one made
  // in a 2xx, which ACK answers. A failure undoes what the transaction had agreed (RFC 3261, 14.1).
  enum class Result { kSuccess, kFailure };
  void Finish(uint64_t transaction, Party requester, Result result);

  // ACK of a 2xx passed: an offer it did not answer is gone.
  void Acknowledged(Party sender);

  const std::optional<MediaOffer>& pending() const { return pending_; }
  const std::optional<AgreedSession>& agreed() const { return agreed_; }

 private:
  bool WasAnswered(uint64_t transaction) const;

  std::optional<MediaOffer> pending_;
  std::optional<AgreedSession> agreed_;
  std::optional<AgreedSession> before_;  // the session the last answer replaced
  std::deque<uint64_t> answered_;        // transactions whose offers were answered, newest last
};

}  // namespace stem
