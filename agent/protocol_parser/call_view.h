// SPDX-License-Identifier: Apache-2.0
// A call as it is shown to people: a copy, safe to hand to another thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/dataplane/pinhole_table.h"
#include "agent/protocol_parser/ladder.h"
#include "bpf/stem_abi.h"
#include "common/address.h"

namespace stem {

// States of a call; the first four are stem_call_state, the last exists only in memory.
enum class CallState : uint8_t { kDeciding, kRinging, kEstablished, kEnding, kEnded };

// "deciding", "ringing", "established", "ending", "ended".
std::string_view CallStateText(CallState state);

struct CallView {
  uint64_t id = 0;  // shown as 16 hexadecimal digits
  std::string call_id;
  std::string caller;  // URI of From
  std::string callee;  // URI of To
  CallState state = CallState::kDeciding;
  std::string outcome;  // why it ended: "BYE from outside", "486 Busy Here"; empty while it lives
  stem_side origin = STEM_SIDE_NONE;
  uint64_t started_ns = 0;   // CLOCK_MONOTONIC, as all times here
  uint64_t answered_ns = 0;  // 0 until a 2xx
  uint64_t ended_ns = 0;     // 0 while it lives
  bool adopted = false;      // taken over from an earlier agent
  std::string why;           // the security manager's reason
  Endpoint caller_signalling;
  Endpoint callee_signalling;
  std::vector<PinholeKey> pinholes;  // open now; their use is in the PinholeTable
  std::vector<SipVerdict> ladder;    // filled when asked for
  uint64_t ladder_omitted = 0;       // steps left out in the middle
};

}  // namespace stem
