// SPDX-License-Identifier: Apache-2.0
// The agent's types as messages of proto/stem/v1/control.proto.
#pragma once

#include <cstdint>
#include <string>

#include "agent/dataplane/pinhole_table.h"
#include "agent/pattern_matcher/rule.h"
#include "agent/protocol_parser/call_view.h"
#include "agent/protocol_parser/ladder.h"
#include "bpf/stem_abi.h"
#include "common/address.h"
#include "stem/v1/control.pb.h"

namespace stem {

v1::Side ToMessage(stem_side side);
v1::Endpoint ToMessage(const Endpoint& endpoint);
// `now_ns`: CLOCK_MONOTONIC, for age and idle time.
v1::Pinhole ToMessage(const Pinhole& pinhole, uint64_t now_ns);
v1::LadderStep ToMessage(const SipVerdict& verdict);
// Without ladder and pinholes.
v1::Call ToMessage(const CallView& call);
// For monitors.
v1::Event ToEvent(const SipVerdict& verdict);
// `rule`: name of the one that decided, if any.
v1::Event ToEvent(const stem_event& drop, const std::string& rule);
// Without its place and counters.
v1::Rule ToMessage(const Rule& rule);

// 16 hexadecimal digits.
std::string CallIdText(uint64_t id);

}  // namespace stem
