// SPDX-License-Identifier: Apache-2.0
// May this call pass? The security manager's judgement, apart from how it is asked.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sm/store/store.h"
#include "stem/v1/firewall.pb.h"

namespace stem {

enum class UnknownCallee { kRefuse, kAccept };
enum class SpamAction { kRefuse, kDrop };

struct CallPolicyConfig {
  UnknownCallee unknown_callee = UnknownCallee::kRefuse;
  // Refuse by default: a 403 ends the caller's retransmissions, and a wrongly listed caller learns
  // that he was refused. Drop tells a spammer nothing, and costs the INVITE's retransmissions.
  SpamAction spam_action = SpamAction::kRefuse;
};

// The order of judgement:
//   1. spam entries that protect everybody (403, or silence), the most particular first;
//   2. the callee, found by the Request-URI alone (RFC 3261, 8.2.2.1 and 16.4: it says whom the
//   request
//      is for; To is the caller's word, and looking there would let him choose whose profile
//      judges him), as an address of record or as a terminal's location;
//   3. spam entries that protect this callee;
//   4. nobody found: 404, or accepted, as configured;
//   5. the callee's profile.
//
// Thread-safe.
class CallPolicy {
 public:
  CallPolicy(CallPolicyConfig config, Store* store) : config_(config), store_(store) {}

  // INVALID_ARGUMENT when the request has no source address; errors of the store. A From or
  // Request-URI that cannot be read is the caller's fault and gets a verdict, not an error.
  absl::StatusOr<v1::DecideResponse> Decide(const v1::DecideRequest& request);

 private:
  v1::DecideResponse Stop(const v1::SpamEntry& entry);
  v1::DecideResponse UnknownVerdict(const std::string& callee) const;

  const CallPolicyConfig config_;
  Store* store_;
};

}  // namespace stem
