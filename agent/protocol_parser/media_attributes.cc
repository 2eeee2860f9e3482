// SPDX-License-Identifier: Apache-2.0
#include "agent/protocol_parser/media_attributes.h"

#include <algorithm>
#include <string_view>

#include "agent/protocol_parser/osip_list.h"
#include "agent/protocol_parser/sip_grammar.h"

namespace stem {
namespace {

constexpr size_t kLongestEncoding = 64;  // "telephone-event/8000" is long
constexpr uint64_t kMostBits = 1'000'000'000'000;
constexpr uint64_t kMostPackets = 1'000'000'000;
constexpr uint64_t kMostMilliseconds = 10'000;

// The whole number at the start of `text`; 0 when there is none, or it is larger than `most`.
uint64_t Leading(std::string_view text, uint64_t most) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  return ParseDigits(text.substr(0, digits), most).value_or(0);
}

// Takes the first word off `text`.
std::string_view NextWord(std::string_view& text) {
  text = TrimWhitespace(text);
  const size_t end = std::min(text.find_first_of(" \t"), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

MediaCodec* FindCodec(std::string_view payload_type, MediaStream& stream) {
  const auto type = ParseDigits(payload_type, 127);
  if (!type) return nullptr;
  const auto at = std::find_if(
      stream.codecs.begin(), stream.codecs.end(),
      [&](const MediaCodec& codec) { return codec.payload_type == static_cast<int>(*type); });
  return at == stream.codecs.end() ? nullptr : &*at;
}

// a=rtpmap:TYPE ENCODING/RATE (RFC 8866, 6.6).
void ReadRtpmap(std::string_view value, MediaStream& stream) {
  MediaCodec* codec = FindCodec(NextWord(value), stream);
  if (codec != nullptr && !value.empty()) {
    codec->encoding = TrimWhitespace(value).substr(0, kLongestEncoding);
  }
}

// a=fmtp:TYPE NAME=VALUE;... (RFC 8866, 6.15); maxaveragebitrate is Opus' (RFC 7587, 6.1).
void ReadFormat(std::string_view value, MediaStream& stream) {
  constexpr std::string_view kName = "maxaveragebitrate=";
  MediaCodec* codec = FindCodec(NextWord(value), stream);
  const size_t at = value.find(kName);
  if (codec == nullptr || at == std::string_view::npos) return;
  codec->max_bitrate =
      static_cast<uint32_t>(Leading(value.substr(at + kName.size()), kMostPackets));
}

void ReadBandwidth(const osip_list_t& lines, MediaBandwidth& bandwidth) {
  ForEach<sdp_bandwidth_t>(lines, [&](const sdp_bandwidth_t& line) {
    const std::string_view type = Text(line.b_bwtype);
    const uint64_t value = Leading(TrimWhitespace(Text(line.b_bandwidth)), kMostBits / 1000);
    if (type == "AS") bandwidth.application = value * 1000;
    if (type == "TIAS") bandwidth.independent = value;
    if (type == "RS" || type == "RR") bandwidth.rtcp += value;
  });
}

// What may stand at the session level too, for every stream.
void ReadCommon(std::string_view name, MediaStream& stream) {
  if (name == "ice-ufrag" || name == "candidate" || name == "ice-lite") stream.ice = true;
  if (name == "fingerprint" || name == "setup") stream.dtls = true;
  if (name == "extmap") stream.extensions = true;
}

// The number of the BUNDLE group that `mid` is in (RFC 9143, 7); 0: none.
int BundleOf(const sdp_message_t& sdp, std::string_view mid) {
  int number = 0;
  int found = 0;
  if (mid.empty()) return 0;
  ForEach<sdp_attribute_t>(sdp.a_attributes, [&](const sdp_attribute_t& attribute) {
    std::string_view value = Text(attribute.a_att_value);
    if (Text(attribute.a_att_field) != "group" || NextWord(value) != "BUNDLE") return;
    ++number;
    while (!(value = TrimWhitespace(value)).empty()) {
      if (NextWord(value) == mid && found == 0) found = number;
    }
  });
  return found;
}

}  // namespace

void ReadMediaAttributes(const sdp_message_t& sdp, const sdp_media_t& media, MediaStream& stream) {
  ForEach<sdp_attribute_t>(sdp.a_attributes, [&](const sdp_attribute_t& attribute) {
    ReadCommon(Text(attribute.a_att_field), stream);
  });
  // That of the session is a bound for each of its streams.
  ReadBandwidth(osip_list_size(&media.b_bandwidths) > 0 ? media.b_bandwidths : sdp.b_bandwidths,
                stream.bandwidth);
  std::string_view first_source;
  std::string_view mid;
  ForEach<sdp_attribute_t>(media.a_attributes, [&](const sdp_attribute_t& attribute) {
    const std::string_view name = Text(attribute.a_att_field);
    std::string_view value = TrimWhitespace(Text(attribute.a_att_value));
    ReadCommon(name, stream);
    if (name == "rtpmap") ReadRtpmap(value, stream);
    if (name == "fmtp") ReadFormat(value, stream);
    if (name == "mid") mid = value;
    if (name == "ptime") {
      stream.bandwidth.ptime_ms = static_cast<uint32_t>(Leading(value, kMostMilliseconds));
    }
    if (name == "maxptime") {
      stream.bandwidth.max_ptime_ms = static_cast<uint32_t>(Leading(value, kMostMilliseconds));
    }
    if (name == "maxprate") {
      stream.bandwidth.packet_rate = static_cast<uint32_t>(Leading(value, kMostPackets));
    }
    if (name == "ssrc-group" || name == "simulcast" || name == "rid") stream.many_sources = true;
    if (name == "ssrc") {
      const std::string_view source = NextWord(value);
      if (first_source.empty()) first_source = source;
      if (source != first_source) stream.many_sources = true;
    }
  });
  stream.bundle = BundleOf(sdp, mid);
}

}  // namespace stem
