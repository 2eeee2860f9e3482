// SPDX-License-Identifier: Apache-2.0
#include "agent/protocol_parser/media_limits.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "agent/flow_monitor/codec_table.h"
#include "agent/protocol_parser/sip_grammar.h"

namespace stem {
namespace {

// A burst is never less than this: a sender that was held up catches up.
constexpr double kFewestBurstPackets = 25;
constexpr double kRtcpShare = 0.05;
// Immediate feedback (RFC 4585): reports of up to 200 bytes, ten a second.
constexpr double kLeastRtcpBytes = 2000;
constexpr double kLeastRtcpPackets = 10;
// Connectivity checks (RFC 8445) and a handshake's flights (RFC 6347), before and beside the media.
constexpr double kCheckPackets = 50;
constexpr double kCheckBytes = 160 * kCheckPackets;
constexpr double kHandshakeBytes = 8000;

void AllowTypes(const DeclaredStream& stream, MediaLimits& limits) {
  const MediaStream& receiver = *stream.receiver;
  const auto allow = [&](const std::array<uint64_t, 2>& types) {
    for (size_t i = 0; i < types.size(); ++i) limits.payload_types[i] |= types[i];
  };
  allow(receiver.payload_types);
  if (stream.sender == nullptr) return;
  const bool some_unknown = receiver.more_codecs || receiver.codecs.empty();
  if (some_unknown) return allow(stream.sender->payload_types);
  for (const MediaCodec& codec : stream.sender->codecs) {
    const bool same =
        std::any_of(receiver.codecs.begin(), receiver.codecs.end(), [&](const MediaCodec& known) {
          return !codec.encoding.empty() && EqualsIgnoreCase(codec.encoding, known.encoding);
        });
    const auto type = static_cast<size_t>(codec.payload_type);
    if (same) limits.payload_types[type / 64] |= uint64_t{1} << type % 64;
  }
}

// RTX and FEC have sources of their own (RFC 4588, 4; RFC 8627); RED has not.
bool IsStreamOfItsOwn(const MediaCodec& declared) {
  const std::optional<Codec> codec = FindCodec(declared.encoding);
  return codec && codec->role == Codec::Role::kRepeats && codec->repeats == 1;
}

bool HasManySources(const MediaStream& stream) {
  return stream.many_sources || EqualsIgnoreCase(stream.media, "video") ||
         std::any_of(stream.codecs.begin(), stream.codecs.end(), IsStreamOfItsOwn);
}

uint16_t ExtrasOf(const DeclaredStream& stream) {
  const MediaStream& receiver = *stream.receiver;
  const MediaStream& sender = stream.sender == nullptr ? receiver : *stream.sender;
  unsigned extras = 0;
  if (receiver.ice && sender.ice) extras |= STEM_EXTRA_STUN;
  if (receiver.dtls && sender.dtls) extras |= STEM_EXTRA_DTLS;
  if (HasManySources(receiver) || HasManySources(sender)) extras |= STEM_EXTRA_MANY_SSRCS;
  return static_cast<uint16_t>(extras);
}

// Rounded up, what arithmetic left over aside.
uint64_t Whole(double value) { return static_cast<uint64_t>(std::ceil(value - 1e-6)); }

// The 5 % of RFC 3550, 6.2, of media that sends `bytes` a second.
MediaDemand RtcpDemand(double bytes, double packets, uint64_t said_bits) {
  MediaDemand demand;
  demand.bytes =
      std::max({kLeastRtcpBytes, bytes * kRtcpShare, static_cast<double>(said_bits) / 8});
  demand.packets = std::max(kLeastRtcpPackets, packets * kRtcpShare);
  demand.usual = 200;
  demand.largest = kLargestFrame;
  return demand;
}

}  // namespace

MediaLimits LimitsOf(const MediaPolicy& policy, stem_media media,
                     std::span<const DeclaredStream> streams) {
  MediaLimits limits;
  MediaDemand demand;
  unsigned extras = 0;
  uint64_t rtcp_bits = 0;
  for (const DeclaredStream& stream : streams) {
    const bool rtp = stream.receiver->kind == MediaTransport::kRtp;
    demand = demand + DemandOf(policy, stream);
    rtcp_bits += stream.receiver->bandwidth.rtcp;
    if (media == STEM_MEDIA_UDP) continue;
    extras |= ExtrasOf(stream);
    if (rtp && media != STEM_MEDIA_RTCP) AllowTypes(stream, limits);
  }
  if (media != STEM_MEDIA_UDP && streams.size() > 1) extras |= STEM_EXTRA_MANY_SSRCS;
  limits.extras = static_cast<uint16_t>(extras);
  const MediaDemand rtcp = RtcpDemand(demand.bytes, demand.packets, rtcp_bits);
  if (media == STEM_MEDIA_RTCP) demand = rtcp;
  // Told from media by its second byte only, so a largest packet is media's own.
  const double largest = demand.unbounded || media == STEM_MEDIA_RTCP ? 0 : demand.largest;
  if (media == STEM_MEDIA_RTP_RTCP) demand = demand + rtcp;
  if (extras & (STEM_EXTRA_STUN | STEM_EXTRA_DTLS)) {
    demand.bytes += kCheckBytes;
    demand.packets += kCheckPackets;
  }
  const double most = static_cast<double>(policy.max_rate) / 8;
  const double bytes = std::min(demand.bytes * policy.margin, most);
  const double packets = demand.packets * policy.margin;
  const double seconds = std::chrono::duration<double>(policy.burst).count();
  const double handshake = extras & STEM_EXTRA_DTLS ? kHandshakeBytes : 0;
  limits.max_length = static_cast<uint16_t>(std::min<uint64_t>(Whole(largest), 65535));
  limits.bytes = {
      Whole(bytes),
      Whole(std::max({bytes * seconds, kFewestBurstPackets * demand.usual, 2 * demand.largest}) +
            handshake)};
  limits.packets = {Whole(packets), Whole(std::max(packets * seconds, kFewestBurstPackets))};
  return limits;
}

MediaLimits Either(const MediaLimits& a, const MediaLimits& b) {
  // 0, nothing: not checked.
  const auto larger = [](auto x, auto y) { return x == 0 || y == 0 ? 0 : std::max(x, y); };
  const auto faster = [](const MediaRate& x, const MediaRate& y) -> MediaRate {
    if (x.per_second == 0 || y.per_second == 0) return {};
    return {std::max(x.per_second, y.per_second), std::max(x.burst, y.burst)};
  };
  MediaLimits out;
  if (a.payload_types != decltype(a.payload_types){} &&
      b.payload_types != decltype(b.payload_types){}) {
    out.payload_types = {a.payload_types[0] | b.payload_types[0],
                         a.payload_types[1] | b.payload_types[1]};
  }
  out.max_length = static_cast<uint16_t>(larger(int{a.max_length}, int{b.max_length}));
  out.extras = a.extras | b.extras;
  out.bytes = faster(a.bytes, b.bytes);
  out.packets = faster(a.packets, b.packets);
  return out;
}

MediaLimits Lowered(MediaLimits limits, double share) {
  const uint64_t largest =
      limits.max_length != 0 ? limits.max_length : static_cast<uint64_t>(kLargestFrame);
  const auto lower = [share](uint64_t value, uint64_t least) {
    return value == 0 ? 0 : std::max(Whole(static_cast<double>(value) * share), least);
  };
  limits.bytes = {lower(limits.bytes.per_second, 1), lower(limits.bytes.burst, 2 * largest)};
  limits.packets = {lower(limits.packets.per_second, 1), lower(limits.packets.burst, 2)};
  return limits;
}

}  // namespace stem
