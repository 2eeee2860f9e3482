// SPDX-License-Identifier: Apache-2.0
// The ladder of a call: what crossed the firewall, when, and what the firewall decided.
#pragma once

#include <string>

#include "ctl/screen.h"
#include "stem/v1/control.pb.h"

namespace stem::ctl {

// Lines ended by newlines, one or two per step, between the lines that open and close the
// firewall's column:
//
//               outside                        ┌─ firewall ──┐                       inside
//     0.000 ms  INVITE sip:bob@example.org ───►│ held        │                               asks
//     0.412 ms                                 │ forwarded   │─ INVITE sip:bob@… ─►  bob accepts
//
// An arrow starts with what is sent: a forwarded message is named on the side it came from. A
// message held before is not drawn as arriving a second time. What the firewall answers itself
// turns round at the firewall's wall, and what it drops ends in a cross. Times count from the first
// step. Where the screen is narrow the sides give way and the reasons wrap. Empty for no steps.
std::string RenderLadder(const google::protobuf::RepeatedPtrField<v1::LadderStep>& steps,
                         const Screen& screen);

}  // namespace stem::ctl
