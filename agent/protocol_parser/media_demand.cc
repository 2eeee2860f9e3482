// SPDX-License-Identifier: Apache-2.0
#include "agent/protocol_parser/media_demand.h"

#include <algorithm>
#include <optional>

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
// Of codecs that only tell a bandwidth: packets this small on average, and no fewer than so many.
constexpr double kUnknownPacket = 200;
constexpr double kFewestUnknownPackets = 100;
// T.38 (udptl): 33.6 kbit/s sent three more times, each 10 ms.
constexpr double kFaxBytes = 16000;
constexpr double kFaxPackets = 100;

void TakeLarger(MediaDemand& demand, const MediaDemand& other) {
  demand.bytes = std::max(demand.bytes, other.bytes);
  demand.packets = std::max(demand.packets, other.packets);
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
MediaDemand UnknownDemand(const MediaPolicy& policy, const MediaStream& receiver) {
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
  return {bytes + packets * headers, packets, kLargestFrame, 0, true};
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

MediaDemand KnownDemand(const Codec& codec, const MediaCodec& declared,
                        const MediaStream& receiver) {
  const MediaBandwidth& said = receiver.bandwidth;
  const double header = HeaderOf(receiver);
  const double byte_rate = PayloadBits(codec, declared, receiver) / 8 / kMicroseconds;
  const uint32_t wish = said.ptime_ms * 1000;
  const uint32_t shortest =
      std::max(codec.frame_us, wish != 0 ? std::min(wish, kShortestPacket) : kShortestPacket);
  const uint32_t usual = std::max({codec.frame_us, wish, kUsualPacket});
  const uint32_t longest = std::max(
      {codec.frame_us, wish, said.max_ptime_ms != 0 ? said.max_ptime_ms * 1000 : kLongestPacket});
  MediaDemand demand;
  demand.packets = kMicroseconds / shortest;
  demand.bytes = byte_rate * kMicroseconds + demand.packets * header;
  demand.usual = byte_rate * usual + header;
  // One packet may hold the codec's full rate, whatever it is on average.
  demand.largest =
      static_cast<double>(codec.bits_per_second) / 8 / kMicroseconds * longest + header;
  return demand;
}

MediaDemand RtpDemand(const MediaPolicy& policy, const DeclaredStream& stream) {
  const MediaStream& receiver = *stream.receiver;
  const bool told = !receiver.codecs.empty() || stream.sender == nullptr;
  const MediaStream& declarer = told ? receiver : *stream.sender;
  MediaDemand main;
  MediaDemand beside;
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
  main = main + beside;
  main.bytes *= copies;
  main.packets *= copies;
  main.usual = std::min(main.usual * copies, kLargestFrame);
  main.largest *= copies;
  return main;
}

MediaDemand DatagramDemand(const MediaPolicy& policy, const MediaStream& receiver) {
  if (!EqualsIgnoreCase(receiver.transport, "udptl")) return UnknownDemand(policy, receiver);
  const double bytes = kFaxBytes + kFaxPackets * HeaderOf(receiver);
  return {bytes, kFaxPackets, bytes / kFaxPackets, 0, true};
}

}  // namespace

MediaDemand DemandOf(const MediaPolicy& policy, const DeclaredStream& stream) {
  const bool rtp = stream.receiver->kind == MediaTransport::kRtp;
  return rtp ? RtpDemand(policy, stream) : DatagramDemand(policy, *stream.receiver);
}

MediaDemand operator+(MediaDemand a, const MediaDemand& b) {
  a.bytes += b.bytes;
  a.packets += b.packets;
  a.usual = std::max(a.usual, b.usual);
  a.largest = std::max(a.largest, b.largest);
  a.unbounded = a.unbounded || b.unbounded;
  return a;
}

}  // namespace stem
