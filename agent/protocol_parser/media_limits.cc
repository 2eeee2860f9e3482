// SPDX-License-Identifier: Apache-2.0
#include "agent/protocol_parser/media_limits.h"

#include <algorithm>
#include <cmath>

#include "agent/flow_monitor/codec_table.h"
#include "agent/protocol_parser/sip_grammar.h"

namespace stem {
namespace {

constexpr double kMicroseconds = 1e6;
constexpr uint32_t kShortestPacket = 10'000;  // us, unless a=ptime is less
constexpr uint32_t kLongestPacket = 200'000;  // us, unless a=maxptime is given: RFC 3551, 4.2
constexpr uint32_t kUsualPacket = 20'000;     // us: RFC 3551, 4.2
constexpr double kUdpHeader = 8;
constexpr double kRtpHeader = 12;
constexpr double kExtensions = 40;  // RTP header extensions (RFC 8285) and contributing sources
constexpr double kSrtpTag = 20;     // AES-GCM's 16 (RFC 7714) and an MKI of 4
constexpr double kLargestPacket = 1500;
// Of codecs that only tell a bandwidth: packets this small on average, and no fewer than so many.
constexpr double kUnknownPacket = 200;
constexpr double kFewestUnknownPackets = 100;
// T.38 (udptl): 33.6 kbit/s sent three more times, each 10 ms.
constexpr double kFaxBytes = 16000;
constexpr double kFaxPackets = 100;
// A burst is never less than this: a sender that was held up catches up.
constexpr double kFewestBurstPackets = 20;
constexpr double kRtcpShare = 0.05;
// Immediate feedback (RFC 4585): reports of up to 200 bytes, ten a second.
constexpr double kLeastRtcpBytes = 2000;
constexpr double kLeastRtcpPackets = 10;
// Connectivity checks (RFC 8445) and a handshake's flights (RFC 6347), before and beside the media.
constexpr double kCheckPackets = 50;
constexpr double kCheckBytes = 160 * kCheckPackets;
constexpr double kHandshakeBytes = 8000;

// Per second, before the margin.
struct Demand {
  double bytes = 0;
  double packets = 0;
  double usual = 0;    // bytes of a usual packet
  double largest = 0;  // bytes; 0 with `unbounded`
  bool unbounded = false;
};

void TakeLarger(Demand& demand, const Demand& other) {
  demand.bytes = std::max(demand.bytes, other.bytes);
  demand.packets = std::max(demand.packets, other.packets);
  demand.usual = std::max(demand.usual, other.usual);
  demand.largest = std::max(demand.largest, other.largest);
  demand.unbounded = demand.unbounded || other.unbounded;
}

void AddTo(Demand& demand, const Demand& other) {
  demand.bytes += other.bytes;
  demand.packets += other.packets;
  demand.usual = std::max(demand.usual, other.usual);
  demand.largest = std::max(demand.largest, other.largest);
  demand.unbounded = demand.unbounded || other.unbounded;
}

double HeaderOf(const MediaStream& stream) {
  const double ip = stream.rtp.address.is_v4() ? 20 : 40;
  if (stream.kind != MediaTransport::kRtp) return ip + kUdpHeader;
  return ip + kUdpHeader + kRtpHeader + (stream.secure() ? kSrtpTag : 0) +
         (stream.extensions ? kExtensions : 0);
}

// What `receiver` says it takes, or the default.
Demand UnknownDemand(const MediaPolicy& policy, const MediaStream& receiver) {
  const MediaBandwidth& said = receiver.bandwidth;
  double bytes = static_cast<double>(policy.unknown_rate) / 8;
  double headers = 0;
  if (said.application != 0) {
    bytes = static_cast<double>(said.application) / 8;
  } else if (said.independent != 0) {
    bytes = static_cast<double>(said.independent) / 8;
    headers = HeaderOf(receiver);
  }
  double packets = std::max(bytes / kUnknownPacket, kFewestUnknownPackets);
  if (said.packet_rate != 0) packets = said.packet_rate;
  return {bytes + packets * headers, packets, kLargestPacket, 0, true};
}

double PayloadBits(const Codec& codec, const MediaCodec& declared, const MediaStream& receiver) {
  auto bits = static_cast<double>(codec.bits_per_second);
  if (!codec.variable) return bits;
  const MediaBandwidth& said = receiver.bandwidth;
  for (const uint64_t bound :
       {uint64_t{declared.max_bitrate}, said.application, said.independent}) {
    if (bound != 0) bits = std::min(bits, static_cast<double>(bound));
  }
  return bits;
}

Demand KnownDemand(const Codec& codec, const MediaCodec& declared, const MediaStream& receiver) {
  const MediaBandwidth& said = receiver.bandwidth;
  const double header = HeaderOf(receiver);
  const double byte_rate = PayloadBits(codec, declared, receiver) / 8 / kMicroseconds;
  const uint32_t wish = said.ptime_ms * 1000;
  const uint32_t shortest =
      std::max(codec.frame_us, wish != 0 ? std::min(wish, kShortestPacket) : kShortestPacket);
  const uint32_t usual = std::max({codec.frame_us, wish, kUsualPacket});
  const uint32_t longest = std::max(
      {codec.frame_us, wish, said.max_ptime_ms != 0 ? said.max_ptime_ms * 1000 : kLongestPacket});
  Demand demand;
  demand.packets = kMicroseconds / shortest;
  demand.bytes = byte_rate * kMicroseconds + demand.packets * header;
  demand.usual = byte_rate * usual + header;
  // One packet may hold the codec's full rate, whatever it is on average.
  demand.largest =
      static_cast<double>(codec.bits_per_second) / 8 / kMicroseconds * longest + header;
  return demand;
}

Demand RtpDemand(const MediaPolicy& policy, const DeclaredStream& stream) {
  const MediaStream& receiver = *stream.receiver;
  const bool told = !receiver.codecs.empty() || stream.sender == nullptr;
  const MediaStream& declarer = told ? receiver : *stream.sender;
  Demand main;
  Demand beside;
  uint64_t repeats = 0;
  if (declarer.more_codecs || declarer.codecs.empty()) main = UnknownDemand(policy, receiver);
  for (const MediaCodec& declared : declarer.codecs) {
    const std::optional<Codec> codec = FindCodec(declared.encoding);
    if (!codec) {
      TakeLarger(main, UnknownDemand(policy, receiver));
    } else if (codec->role == Codec::Role::kRepeats) {
      repeats = std::max(repeats, codec->repeats);
    } else {
      TakeLarger(codec->role == Codec::Role::kMain ? main : beside,
                 KnownDemand(*codec, declared, receiver));
    }
  }
  const auto copies = static_cast<double>(repeats + 1);
  AddTo(main, beside);
  main.bytes *= copies;
  main.packets *= copies;
  main.usual = std::min(main.usual * copies, kLargestPacket);
  main.largest *= copies;
  return main;
}

Demand DatagramDemand(const MediaPolicy& policy, const MediaStream& receiver) {
  if (!EqualsIgnoreCase(receiver.transport, "udptl")) return UnknownDemand(policy, receiver);
  const double bytes = kFaxBytes + kFaxPackets * HeaderOf(receiver);
  return {bytes, kFaxPackets, bytes / kFaxPackets, 0, true};
}

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

bool HasManySources(const MediaStream& stream) {
  return stream.many_sources || EqualsIgnoreCase(stream.media, "video");
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
Demand RtcpDemand(double bytes, double packets, uint64_t said_bits) {
  Demand demand;
  demand.bytes =
      std::max({kLeastRtcpBytes, bytes * kRtcpShare, static_cast<double>(said_bits) / 8});
  demand.packets = std::max(kLeastRtcpPackets, packets * kRtcpShare);
  demand.usual = 200;
  demand.largest = kLargestPacket;
  return demand;
}

}  // namespace

MediaLimits LimitsOf(const MediaPolicy& policy, stem_media media,
                     std::span<const DeclaredStream> streams) {
  MediaLimits limits;
  Demand demand;
  unsigned extras = 0;
  uint64_t rtcp_bits = 0;
  for (const DeclaredStream& stream : streams) {
    const bool rtp = stream.receiver->kind == MediaTransport::kRtp;
    AddTo(demand, rtp ? RtpDemand(policy, stream) : DatagramDemand(policy, *stream.receiver));
    rtcp_bits += stream.receiver->bandwidth.rtcp;
    if (media == STEM_MEDIA_UDP) continue;
    extras |= ExtrasOf(stream);
    if (rtp && media != STEM_MEDIA_RTCP) AllowTypes(stream, limits);
  }
  if (media != STEM_MEDIA_UDP && streams.size() > 1) extras |= STEM_EXTRA_MANY_SSRCS;
  limits.extras = static_cast<uint16_t>(extras);
  const Demand rtcp = RtcpDemand(demand.bytes, demand.packets, rtcp_bits);
  if (media == STEM_MEDIA_RTCP) demand = rtcp;
  // Told from media by its second byte only, so a largest packet is media's own.
  const double largest = demand.unbounded || media == STEM_MEDIA_RTCP ? 0 : demand.largest;
  if (media == STEM_MEDIA_RTP_RTCP) AddTo(demand, rtcp);
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
      limits.max_length != 0 ? limits.max_length : static_cast<uint64_t>(kLargestPacket);
  const auto lower = [share](uint64_t value, uint64_t least) {
    return value == 0 ? 0 : std::max(Whole(static_cast<double>(value) * share), least);
  };
  limits.bytes = {lower(limits.bytes.per_second, 1), lower(limits.bytes.burst, 2 * largest)};
  limits.packets = {lower(limits.packets.per_second, 1), lower(limits.packets.burst, 2)};
  return limits;
}

}  // namespace stem
