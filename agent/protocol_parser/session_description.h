// SPDX-License-Identifier: Apache-2.0
// What an SDP offer or answer says about media: where each stream wants to receive, and what.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/protocol_parser/call_limits.h"
#include "common/address.h"

namespace stem {

// Seen from who wrote the description (RFC 3264, 5.1).
enum class MediaDirection : uint8_t { kSendRecv, kSendOnly, kRecvOnly, kInactive };

enum class MediaTransport : uint8_t {
  kRtp,    // RTP/AVP and its kin, also under DTLS: RTP and RTCP
  kUdp,    // another protocol over UDP, such as udptl (T.38): one port
  kOther,  // not UDP: no pinhole is made for it
};

struct MediaCodec {
  int payload_type = 0;
  std::string encoding;      // "PCMU/8000"; empty for a dynamic type without rtpmap
  uint32_t max_bitrate = 0;  // bit/s its a=fmtp allows (maxaveragebitrate); 0: it does not say

  bool operator==(const MediaCodec&) const = default;
};

// What a description says about how much will come. 0: it does not say.
struct MediaBandwidth {
  uint64_t application = 0;   // b=AS in bit/s, with IP, UDP and RTP headers (RFC 8866, 5.8)
  uint64_t independent = 0;   // b=TIAS in bit/s, without them (RFC 3890)
  uint64_t rtcp = 0;          // b=RS and b=RR together, bit/s (RFC 3556)
  uint32_t packet_rate = 0;   // a=maxprate (RFC 3890)
  uint32_t ptime_ms = 0;      // a=ptime: what is wished for (RFC 8866, 6.4)
  uint32_t max_ptime_ms = 0;  // a=maxptime

  bool operator==(const MediaBandwidth&) const = default;
};

// One m= section.
struct MediaStream {
  std::string media;      // "audio"
  std::string transport;  // as written: "RTP/SAVPF"
  MediaTransport kind = MediaTransport::kOther;
  MediaDirection direction = MediaDirection::kSendRecv;
  Endpoint rtp;                  // port 0: the stream is rejected or switched off
  std::optional<Endpoint> rtcp;  // RTP only; RFC 3605, or the next port
  bool rtcp_mux = false;         // RFC 5761
  uint16_t port_pairs = 1;       // "49170/2": so many pairs of ports
  std::vector<MediaCodec> codecs;
  std::array<uint64_t, 2> payload_types{};  // a bit for each, also for those not kept above
  bool more_codecs = false;                 // there are such
  MediaBandwidth bandwidth;
  bool ice = false;           // a=ice-ufrag or a=candidate (RFC 8839)
  bool dtls = false;          // a=fingerprint or a=setup (RFC 8122, RFC 5763)
  bool extensions = false;    // a=extmap: RTP header extensions (RFC 8285)
  bool many_sources = false;  // a=ssrc of several, a=ssrc-group, a=simulcast or a=rid
  int bundle = 0;             // number of its a=group:BUNDLE (RFC 9143); 0: none

  bool secure() const { return transport.find("SAVP") != std::string::npos; }
  bool rejected() const { return rtp.port == 0; }
  // Held by direction or, as in RFC 2543, by an unspecified address.
  bool on_hold() const {
    return direction != MediaDirection::kSendRecv || rtp.address.is_unspecified();
  }
  bool receives() const {
    return direction == MediaDirection::kSendRecv || direction == MediaDirection::kRecvOnly;
  }

  bool operator==(const MediaStream&) const = default;
};

struct SessionDescription {
  std::vector<MediaStream> streams;

  // Every named encoding, each once, in the order written.
  std::vector<std::string> Encodings() const;
};

// The application/sdp part of a body: the whole of it, or that part of a multipart one (RFC 2046,
// 5.1), parts inside parts included. nullopt when there is none. A view into `body`.
std::optional<std::string_view> FindSdp(std::string_view content_type, std::string_view body);

// Reads a session description (RFC 8866). Liberal: line ends may be LF, `s=` may be empty.
// INVALID_ARGUMENT says what cannot be read; UNIMPLEMENTED for a host name in c=, which the agent
// does not resolve.
absl::StatusOr<SessionDescription> ParseSessionDescription(std::string_view text,
                                                           const CallLimits& limits);

}  // namespace stem
