// SPDX-License-Identifier: Apache-2.0
// What goes into the protocol parser and what comes out of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bpf/stem_abi.h"
#include "common/address.h"

namespace stem {

// One UDP datagram taken out of the packet stream.
struct Datagram {
  Endpoint source;
  Endpoint destination;
  stem_side from = STEM_SIDE_NONE;
  std::string payload;
  // The whole IP packet as it arrived, with complete checksums. Empty when `payload` is no longer
  // what arrived (bytes after the message were cut off): to be encoded anew.
  std::string ip_packet;
  uint64_t received_ns = 0;  // CLOCK_MONOTONIC, when the agent took it from its AF_XDP ring
  // Of one that came in fragments: their identification, and the length of the largest; else 0.
  uint32_t fragment_id = 0;
  uint16_t fragment_size = 0;
  // Why the kernel handed it over; of fragments, the first one. sip_rate_to_agent: the INVITE guard
  // is refusing its source, and a request is to be answered 503.
  stem_reason reason = STEM_REASON_sip_to_agent;
};

// Where the protocol parser's verdicts go.
class DatagramSink {
 public:
  virtual ~DatagramSink() = default;

  // Gives the datagram back to the kernel, which routes it as if it had just arrived.
  virtual void Forward(const Datagram& datagram) = 0;

  // Sends `payload` in the place of `request`'s destination, to its source.
  virtual void Answer(const Datagram& request, std::string_view payload) = 0;
};

}  // namespace stem
