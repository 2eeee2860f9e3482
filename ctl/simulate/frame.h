// SPDX-License-Identifier: Apache-2.0
// Frames from a description, and a description of frames.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/address.h"

namespace stem::ctl {

enum class Transport { kUdp, kTcp, kIcmp };

struct PacketDescription {
  Transport transport = Transport::kUdp;
  Endpoint source;  // ports are ignored for kIcmp
  Endpoint destination;
  std::string payload;
  uint8_t tcp_flags = 0x02;  // SYN
};

// An Ethernet frame with that packet, lengths and checksums right, TTL 64; an ICMP echo request for
// kIcmp. INVALID_ARGUMENT for addresses of two families or a payload that does not fit.
absl::StatusOr<std::string> BuildFrame(const PacketDescription& description);

// "pt=8,ssrc=0x1234,seq=7,size=160" -> an RTP packet with so many bytes of silence. Each may be
// left out; pt=0,ssrc=1,seq=1,size=160 are the defaults.
absl::StatusOr<std::string> RtpPayload(std::string_view text);

// A small SIP request of that method, or a response where the text is a number.
absl::StatusOr<std::string> SipPayload(const std::string& method, const PacketDescription& packet);

// "SYN,ACK" -> 0x12
absl::StatusOr<uint8_t> TcpFlags(std::string_view text);

// "udp 192.0.2.1:1 > 192.0.2.2:2, 60 bytes"
std::string DescribeFrame(std::string_view frame);

}  // namespace stem::ctl
