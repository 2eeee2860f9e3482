// SPDX-License-Identifier: Apache-2.0
// UDP datagrams in and out of raw packets, and their checksums.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent/protocol_parser/datagram.h"

namespace stem {

// Reads an Ethernet frame (up to two VLAN tags, IPv4 with options or IPv6 with extension headers,
// UDP) into a Datagram whose ip_packet is what the kernel may be given back. Checksums are judged:
//  - right, or absent where IPv4 allows that: kept;
//  - left unfinished by a virtual NIC (the field holds the pseudo-header's sum only): completed;
//  - anything else: DATA_LOSS.
// INVALID_ARGUMENT for a frame that is not UDP over IP, whose lengths do not fit, or that has an
// IPv4 address (v4-mapped) in an IPv6 header.
// `from` and `received_ns` are the caller's to fill in.
absl::StatusOr<Datagram> DecodeFrame(std::span<const uint8_t> frame);

// The IP packet in an Ethernet frame, up to two VLAN tags taken off; empty when there is none.
std::span<const uint8_t> IpPacketIn(std::span<const uint8_t> frame);

// As DecodeFrame, of an IP packet.
absl::StatusOr<Datagram> DecodePacket(std::span<const uint8_t> packet);

// An IP packet carrying `payload` over UDP, with right checksums, hop limit 64; `id` is its
// IPv4 identification, needed where it may be fragmented. INVALID_ARGUMENT when the two endpoints
// are of different families or the payload is larger than a UDP datagram can be.
absl::StatusOr<std::string> EncodeUdp(const Endpoint& source, const Endpoint& destination,
                                      std::string_view payload, uint16_t id = 0);

}  // namespace stem
