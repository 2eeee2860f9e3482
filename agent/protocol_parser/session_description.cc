// SPDX-License-Identifier: Apache-2.0
#include "agent/protocol_parser/session_description.h"

#include <osipparser2/osip_parser.h>
#include <osipparser2/sdp_message.h>

#include <algorithm>
#include <memory>

#include "agent/protocol_parser/media_attributes.h"
#include "agent/protocol_parser/osip_list.h"
#include "agent/protocol_parser/sip_grammar.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

// Bounds on what osip2 is given: it keeps lines and formats in lists it walks from the start.
constexpr size_t kMostLines = 1024;
constexpr size_t kLongestMediaLine = 1024;
constexpr uint16_t kMostPortPairs = 8;

struct SdpFree {
  void operator()(sdp_message_t* sdp) const { sdp_message_free(sdp); }
};
using SdpMessage = std::unique_ptr<sdp_message_t, SdpFree>;

struct StaticEncoding {
  int payload_type;
  std::string_view encoding;
};
// RFC 3551, tables 4 and 5.
constexpr StaticEncoding kStaticEncodings[] = {
    {0, "PCMU/8000"},    {3, "GSM/8000"},    {4, "G723/8000"},   {5, "DVI4/8000"},
    {6, "DVI4/16000"},   {7, "LPC/8000"},    {8, "PCMA/8000"},   {9, "G722/8000"},
    {10, "L16/44100/2"}, {11, "L16/44100"},  {12, "QCELP/8000"}, {13, "CN/8000"},
    {14, "MPA/90000"},   {15, "G728/8000"},  {16, "DVI4/11025"}, {17, "DVI4/22050"},
    {18, "G729/8000"},   {25, "CelB/90000"}, {26, "JPEG/90000"}, {28, "nv/90000"},
    {31, "H261/90000"},  {32, "MPV/90000"},  {33, "MP2T/90000"}, {34, "H263/90000"},
};

absl::Status Unreadable(std::string_view what) {
  return absl::InvalidArgumentError(absl::string_view(what.data(), what.size()));
}

// Lines ended by CRLF, an empty `s=` filled in (osip2 refuses it), empty lines left out.
absl::StatusOr<std::string> TextForOsip(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return Unreadable("SDP with a zero byte");
  std::string out;
  out.reserve(text.size() + 16);
  size_t lines = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    if (++lines > kMostLines)
      return Unreadable(fmt::format("SDP of more than {} lines", kMostLines));
    if (line.substr(0, 2) == "m=" && line.size() > kLongestMediaLine) {
      return Unreadable(fmt::format("m= line of more than {} bytes", kLongestMediaLine));
    }
    out += line == "s=" ? "s=-" : line;
    out += "\r\n";
  }
  return out;
}

absl::StatusOr<IpAddress> ReadAddress(const sdp_connection_t& connection) {
  const std::string_view type = Text(connection.c_addrtype);
  const std::string_view written = Text(connection.c_addr);
  if (!EqualsIgnoreCase(Text(connection.c_nettype), "IN") ||
      (!EqualsIgnoreCase(type, "IP4") && !EqualsIgnoreCase(type, "IP6"))) {
    return Unreadable("c= line that is neither IN IP4 nor IN IP6");
  }
  absl::StatusOr<IpAddress> address = IpAddress::Parse(written);
  if (!address.ok()) {
    return absl::UnimplementedError(
        fmt::format("c= with '{}': host names are not resolved", written));
  }
  return address;
}

std::optional<MediaDirection> ReadDirection(std::string_view attribute) {
  if (attribute == "sendrecv") return MediaDirection::kSendRecv;
  if (attribute == "sendonly") return MediaDirection::kSendOnly;
  if (attribute == "recvonly") return MediaDirection::kRecvOnly;
  if (attribute == "inactive") return MediaDirection::kInactive;
  return std::nullopt;
}

MediaTransport ClassifyTransport(std::string_view written) {
  const std::string lower = ToLower(written);
  if (lower.rfind("tcp", 0) == 0) return MediaTransport::kOther;
  if (lower.find("rtp/") != std::string::npos) return MediaTransport::kRtp;
  if (lower.rfind("udp", 0) == 0) return MediaTransport::kUdp;
  return MediaTransport::kOther;
}

// a=rtcp:PORT [IN IP4 ADDRESS] (RFC 3605, 2.1).
absl::StatusOr<Endpoint> ReadRtcp(std::string_view value, const IpAddress& media_address) {
  const size_t space = value.find(' ');
  const std::optional<uint64_t> port = ParseDigits(value.substr(0, space), 65535);
  if (!port) return Unreadable("a=rtcp without a port");
  Endpoint rtcp{media_address, static_cast<uint16_t>(*port)};
  if (space != std::string_view::npos) {
    const size_t last = value.find_last_of(' ');
    absl::StatusOr<IpAddress> address = IpAddress::Parse(value.substr(last + 1));
    if (!address.ok()) return Unreadable("a=rtcp with an address that cannot be read");
    rtcp.address = *address;
  }
  return rtcp;
}

void ReadFormats(const sdp_media_t& media, size_t limit, MediaStream& stream) {
  ForEach<char>(media.m_payloads, [&](const char& format) {
    const std::optional<uint64_t> type = ParseDigits(&format, 127);
    if (!type) return;
    stream.payload_types[*type / 64] |= uint64_t{1} << *type % 64;
    stream.more_codecs = stream.more_codecs || stream.codecs.size() == limit;
    if (stream.codecs.size() == limit) return;
    MediaCodec codec{static_cast<int>(*type), "", 0};
    for (const StaticEncoding& known : kStaticEncodings) {
      if (known.payload_type == codec.payload_type) codec.encoding = known.encoding;
    }
    stream.codecs.push_back(std::move(codec));
  });
}

absl::Status ReadPorts(const sdp_media_t& media, MediaStream& stream) {
  const std::optional<uint64_t> port = ParseDigits(Text(media.m_port), 65535);
  if (!port) return Unreadable("m= line whose port is not 0 to 65535");
  stream.rtp.port = static_cast<uint16_t>(*port);
  if (media.m_number_of_port != nullptr) {
    const std::optional<uint64_t> pairs = ParseDigits(media.m_number_of_port, kMostPortPairs);
    if (!pairs || *pairs == 0) {
      return Unreadable(
          fmt::format("m= line with a port count that is not 1 to {}", kMostPortPairs));
    }
    stream.port_pairs = static_cast<uint16_t>(*pairs);
  }
  if (*port + 2 * uint64_t{stream.port_pairs} - 1 > 65536) {
    return Unreadable("m= line whose ports run past 65535");
  }
  return absl::OkStatus();
}

absl::Status ReadAttributes(const sdp_media_t& media, MediaStream& stream) {
  std::optional<std::string> rtcp;
  ForEach<sdp_attribute_t>(media.a_attributes, [&](const sdp_attribute_t& attribute) {
    const std::string_view name = Text(attribute.a_att_field);
    const std::string_view value = TrimWhitespace(Text(attribute.a_att_value));
    if (const auto direction = ReadDirection(name)) stream.direction = *direction;
    if (name == "rtcp-mux") stream.rtcp_mux = true;
    if (name == "rtcp") rtcp = value;
  });
  if (stream.kind != MediaTransport::kRtp || stream.rejected()) return absl::OkStatus();
  if (rtcp) {
    ASSIGN_OR_RETURN(stream.rtcp, ReadRtcp(*rtcp, stream.rtp.address));
  } else if (stream.rtp.port < 65535) {
    stream.rtcp = Endpoint{stream.rtp.address, static_cast<uint16_t>(stream.rtp.port + 1)};
  }
  return absl::OkStatus();
}

absl::StatusOr<MediaStream> ReadMedia(const sdp_message_t& sdp, const sdp_media_t& media,
                                      MediaDirection session_direction, const CallLimits& limits) {
  MediaStream stream;
  stream.media = Text(media.m_media);
  stream.transport = Text(media.m_proto);
  stream.kind = ClassifyTransport(stream.transport);
  stream.direction = session_direction;
  RETURN_IF_ERROR(ReadPorts(media, stream));
  const auto* connection =
      static_cast<const sdp_connection_t*>(osip_list_get(&media.c_connections, 0));
  if (connection == nullptr) connection = sdp.c_connection;
  if (connection != nullptr) {
    ASSIGN_OR_RETURN(stream.rtp.address, ReadAddress(*connection));
  } else if (!stream.rejected()) {
    return Unreadable("no c= line for a stream (RFC 8866, 5.7)");
  }
  ReadFormats(media, limits.codecs_per_stream, stream);
  ReadMediaAttributes(sdp, media, stream);
  RETURN_IF_ERROR(ReadAttributes(media, stream));
  return stream;
}

}  // namespace

std::vector<std::string> SessionDescription::Encodings() const {
  std::vector<std::string> encodings;
  for (const MediaStream& stream : streams) {
    for (const MediaCodec& codec : stream.codecs) {
      if (codec.encoding.empty()) continue;
      if (std::find(encodings.begin(), encodings.end(), codec.encoding) == encodings.end()) {
        encodings.push_back(codec.encoding);
      }
    }
  }
  return encodings;
}

absl::StatusOr<SessionDescription> ParseSessionDescription(std::string_view text,
                                                           const CallLimits& limits) {
  ASSIGN_OR_RETURN(const std::string normal, TextForOsip(text));
  sdp_message_t* raw = nullptr;
  if (sdp_message_init(&raw) != 0) return absl::ResourceExhaustedError("osip2: no memory");
  const SdpMessage sdp(raw);
  if (const int error = sdp_message_parse(raw, normal.c_str()); error != 0) {
    return Unreadable(fmt::format("SDP that osip2 cannot read: {}", osip_strerror(error)));
  }
  if (static_cast<size_t>(osip_list_size(&raw->m_medias)) > limits.streams_per_session) {
    return Unreadable(fmt::format("more than {} streams", limits.streams_per_session));
  }
  MediaDirection session_direction = MediaDirection::kSendRecv;
  ForEach<sdp_attribute_t>(raw->a_attributes, [&](const sdp_attribute_t& attribute) {
    if (const auto direction = ReadDirection(Text(attribute.a_att_field))) {
      session_direction = *direction;
    }
  });
  SessionDescription out;
  absl::Status status;
  ForEach<sdp_media_t>(raw->m_medias, [&](const sdp_media_t& media) {
    absl::StatusOr<MediaStream> stream = ReadMedia(*raw, media, session_direction, limits);
    if (stream.ok()) {
      out.streams.push_back(*std::move(stream));
    } else if (status.ok()) {
      status = stream.status();
    }
  });
  RETURN_IF_ERROR(status);
  return out;
}

}  // namespace stem
