// SPDX-License-Identifier: Apache-2.0
// How much a flow may send, worked out from what its two ends have declared: the thresholds of the
// flow monitor (report, 3.1).
#pragma once

#include <span>

#include "agent/dataplane/pinhole_table.h"
#include "agent/protocol_parser/call_limits.h"
#include "agent/protocol_parser/media_demand.h"
#include "bpf/stem_abi.h"

namespace stem {

// What may flow in one direction of `streams`, which share one pinhole (RFC 9143; most often it is
// one stream alone) for `media`.
//
// Payload types: those the receiver declared, and the sender's numbers for the same encodings (RFC
// 3264, 6.1 asks for equal numbers, but does not require them).
//
// Rate: that of the most demanding codec the receiver declared, with IP, UDP and RTP headers, what
// comes besides (telephone-event) and what is sent again (RED, RTX, FEC). Packets are taken to hold
// 10 ms or one frame, or less where a=ptime says so: a=ptime above that is only a wish, and a
// sender of shorter packets sends more headers. An unknown codec, video among them: b=AS or b=TIAS,
// or `unknown_rate`. Then times `margin`; never above `max_rate`, which is what the firewall
// itself allows for, whatever a description says.
//
// Largest packet: a=maxptime, or 200 ms (RFC 3551, 4.2), of the largest codec; none for unknown
// ones.
//
// RTCP: 5 % of the session (RFC 3550, 6.2) or b=RS and b=RR, and never less than feedback needs.
MediaLimits LimitsOf(const MediaPolicy& policy, stem_media media,
                     std::span<const DeclaredStream> streams);

// What satisfies both: for a pinhole that two parts of a call want.
MediaLimits Either(const MediaLimits& a, const MediaLimits& b);

// The rates times `share`; the burst, too, but never less than two of the largest packets.
MediaLimits Lowered(MediaLimits limits, double share);

}  // namespace stem
