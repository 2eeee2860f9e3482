// SPDX-License-Identifier: Apache-2.0
// Responses the agent gives in a server's place.
#pragma once

#include <string>
#include <string_view>

#include "agent/protocol_parser/message_head.h"
#include "common/address.h"

namespace stem {

struct ResponseSpec {
  int status = 400;
  std::string_view reason = {};   // empty: the status' own phrase
  std::string_view to_tag = {};   // added to To when it has no tag
  std::string_view contact = {};  // URI of a Contact field; empty: none
  int retry_after = 0;            // seconds; 0: no Retry-After
};

// The response of RFC 3261, 8.2.6.2: Via, From, To, Call-ID and CSeq of the request, in order, no
// body. The top Via gets `received` and `rport` (RFC 3261, 18.2.1; RFC 3581, 4) for `source`, the
// address the request came from and the response goes to. Fields the request does not have are
// left out. Line ends in `reason` and `contact` become spaces.
std::string BuildResponse(const MessageHead& request, const Endpoint& source,
                          const ResponseSpec& spec);

// "Forbidden" for 403 (RFC 3261, 21); the phrase of its class' x00 for others.
std::string_view ReasonPhrase(int status);

// Whether `contact` may stand between the angle brackets of a Contact field.
bool IsContactUri(std::string_view contact);

}  // namespace stem
