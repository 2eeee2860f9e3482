// SPDX-License-Identifier: Apache-2.0
// What an SDP offer or answer says about media: where each stream wants to receive, and what.
#pragma once

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
  std::string encoding;  // "PCMU/8000"; empty for a dynamic type without rtpmap
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

  bool rejected() const { return rtp.port == 0; }
  // Held by direction or, as in RFC 2543, by an unspecified address.
  bool on_hold() const {
    return direction != MediaDirection::kSendRecv || rtp.address.is_unspecified();
  }
  bool receives() const {
    return direction == MediaDirection::kSendRecv || direction == MediaDirection::kRecvOnly;
  }
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
