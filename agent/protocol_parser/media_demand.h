// SPDX-License-Identifier: Apache-2.0
// What a stream needs by its codecs, before any margin.
#pragma once

#include "agent/protocol_parser/call_limits.h"
#include "agent/protocol_parser/session_description.h"

namespace stem {

// One direction of a stream: who receives and, unless only an offer is known, who sends.
struct DeclaredStream {
  const MediaStream* receiver = nullptr;
  const MediaStream* sender = nullptr;  // may be null
};

// Bytes are of IP packets, rates per second.
struct MediaDemand {
  double bytes = 0;
  double packets = 0;
  double usual = 0;        // bytes of a usual packet
  double largest = 0;      // bytes of the largest, of those that have one
  bool unbounded = false;  // some have none
};

inline constexpr double kLargestFrame = 1500;

// Of RTP: the most demanding codec, what comes besides it, and what is sent again. Of another
// protocol over UDP: T.38's, or what an unknown codec gets.
MediaDemand DemandOf(const MediaPolicy& policy, const DeclaredStream& stream);

// Of both together.
MediaDemand operator+(MediaDemand a, const MediaDemand& b);

}  // namespace stem
