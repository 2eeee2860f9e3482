// SPDX-License-Identifier: Apache-2.0
// Screening: which datagrams are SIP that may go on. Refuses what osip2 accepts and RFC 3261
// forbids, with the status that RFC asks for, and lets through what osip2 wrongly refuses.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "agent/protocol_parser/call_limits.h"
#include "agent/protocol_parser/message_head.h"
#include "agent/protocol_parser/sip_message.h"
#include "agent/protocol_parser/sip_reasons.h"

namespace stem {

struct Screened {
  enum class Outcome {
    kOk,      // `message` is there
    kRefuse,  // a request to be answered with `status`; `head` is what the answer is made from
    kDrop,    // no answer: a response, an ACK, not SIP, or nothing an answer could go back with
  };
  Outcome outcome = Outcome::kDrop;
  int status = 400;
  SipReason reason = SipReason::not_sip;
  std::string why;
  MessageHead head;                   // kRefuse and kDrop; views into the datagram
  std::optional<SipMessage> message;  // kOk; views into the datagram
  size_t end = 0;                     // kOk: where the message ends; what follows is noise
};

// Judges one UDP payload (RFC 3261, 18.3: a datagram carries one message; a Content-Length larger
// than what is there is an error, and bytes after it are discarded). The result holds views into
// `payload`, which must outlive it and stay where it is.
Screened Screen(std::string_view payload, const CallLimits& limits);

}  // namespace stem
