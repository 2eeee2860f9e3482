// SPDX-License-Identifier: Apache-2.0
// Makes a request usable once and only now: the sender's half (the security manager's is
// sm/replay_guard.h).
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "stem/v1/common.pb.h"

namespace stem {

inline constexpr size_t kNonceBytes = 16;

// Fills in the wall clock and a fresh random nonce. Call once per request, also for one that is
// sent again. INTERNAL when the system has no randomness to give.
absl::Status FillRequestHeader(v1::RequestHeader* header);

}  // namespace stem
