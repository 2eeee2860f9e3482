// SPDX-License-Identifier: Apache-2.0
// Who decides about a new call. The security manager over gRPC is one implementation, a scripted
// one (for tests of the call monitor) the other.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/address.h"

namespace stem {

// What the decision is about; fields as in proto/stem/v1/firewall.proto, DecideRequest.
struct CallQuestion {
  std::string call_id;
  std::string caller;  // URI of From
  std::string caller_display;
  std::string request_uri;
  std::string to;  // URI of To
  std::string user_agent;
  std::vector<std::string> codecs;  // "PCMU/8000"
  Endpoint source;
  Endpoint destination;
};

struct CallDecision {
  enum class Kind { kAccept, kRefuse, kRedirect, kDrop };
  Kind kind = Kind::kRefuse;
  int status = 403;     // kRefuse
  std::string reason;   // kRefuse: reason phrase
  std::string contact;  // kRedirect: SIP URI
  std::string why;      // for people
  bool from_sm = true;  // false: the configured `sm_down` behaviour decided
};

class DecisionPoint {
 public:
  using Callback = std::function<void(CallDecision)>;
  virtual ~DecisionPoint() = default;

  // Asks without blocking. `done` is called exactly once, on the signalling thread, also when the
  // security manager cannot be reached in time (then by `sm_down`); never from inside Decide.
  virtual void Decide(const CallQuestion& question, Callback done) = 0;
};

}  // namespace stem
