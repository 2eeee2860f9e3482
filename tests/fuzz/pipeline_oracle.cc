// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/pipeline_oracle.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "bpf/handover.h"
#include "tests/fuzz/must_hold.h"

namespace stem {
namespace {

struct Reason {
  bool is_drop;
  stem_module module;
};
constexpr Reason kReasons[] = {
#define REASON(name, is_drop, module, meaning) {is_drop != 0, STEM_MODULE_##module},
    STEM_REASONS(REASON)
#undef REASON
};

uint16_t Word(std::span<const uint8_t> bytes, size_t at) {
  return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

uint16_t Sum(std::span<const uint8_t> bytes, uint32_t sum = 0) {
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) sum += Word(bytes, i);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

size_t NetworkHeaderAt(std::span<const uint8_t> frame) {
  size_t at = ETH_HLEN;
  while (at < ETH_HLEN + 8u && frame.size() >= at + 4 &&
         (Word(frame, at - 2) == ETH_P_8021Q || Word(frame, at - 2) == ETH_P_8021AD)) {
    at += 4;
  }
  return at;
}

bool IsExtension(uint8_t next) {
  constexpr uint8_t kExtensions[] = {0, 43, 44, 51, 60, 135, 139, 140};
  return std::find(std::begin(kExtensions), std::end(kExtensions), next) != std::end(kExtensions);
}

constexpr uint64_t Units(uint64_t nanoseconds) { return nanoseconds << STEM_RATE_SHIFT; }

}  // namespace

std::optional<SeenDatagram> ReadDatagram(std::span<const uint8_t> frame) {
  size_t at = NetworkHeaderAt(frame);
  if (frame.size() < at + 20) return std::nullopt;
  SeenDatagram out;
  if (frame[at] >> 4 == 4) {
    out.source.address = IpAddress::FromV4(&frame[at + 12]);
    if (frame[at + 9] != IPPROTO_UDP) return std::nullopt;
    at += (frame[at] & 0x0f) * 4u;
  } else {
    if (frame.size() < at + 40) return std::nullopt;
    out.source.address = IpAddress::FromV6(&frame[at + 8]);
    uint8_t next = frame[at + 6];
    at += 40;
    while (IsExtension(next) && frame.size() >= at + 8) {
      const size_t length = next == 44   ? 8
                            : next == 51 ? (frame[at + 1] + 2) * 4u
                                         : (frame[at + 1] + 1) * 8u;
      next = frame[at];
      at += length;
    }
    if (next != IPPROTO_UDP) return std::nullopt;
  }
  if (frame.size() < at + 8) return std::nullopt;
  out.source.port = Word(frame, at);
  const size_t length = Word(frame, at + 4);
  if (length < 8 || frame.size() < at + length) return std::nullopt;
  out.payload = frame.subspan(at + 8, length - 8);
  return out;
}

std::string PipelineOracle::KeyText(const stem_pinhole_key& key) {
  return {reinterpret_cast<const char*>(&key), sizeof(key)};
}

void PipelineOracle::Granted(const stem_pinhole_key& key) {
  SeenPinhole& seen = pinholes_[KeyText(key)];
  const auto* pinhole = machine_.FindPinhole(key);
  MUST_HOLD(pinhole != nullptr);
  seen = {};
  seen.packets = pinhole->packets;
  seen.bytes = pinhole->bytes;
}

void PipelineOracle::Judge(std::span<const uint8_t> frame, stem_side side, const Fate& fate) {
  MUST_HOLD(fate.counted.size() == 1);
  const Counted& counted = fate.counted.front();
  MUST_HOLD(counted.packets == 1 && counted.bytes == frame.size());
  MUST_HOLD(counted.side == side);
  const Reason& reason = kReasons[counted.reason];
  MUST_HOLD(fate.verdict == XDP_DROP || fate.verdict == XDP_PASS || fate.verdict == XDP_REDIRECT);
  MUST_HOLD(reason.is_drop == (fate.verdict == XDP_DROP));
  MUST_HOLD(fate.events.size() <= 8);
  JudgeLengths(frame, counted.reason);
  JudgeModules(counted.reason);
  JudgeBytes(frame, fate, counted.reason);
  const bool is_media =
      counted.reason == STEM_REASON_media_relayed || counted.reason == STEM_REASON_media_to_stack;
  MUST_HOLD(JudgePinholes(frame) == is_media);
}

// What is judged by more than its headers is all there.
void PipelineOracle::JudgeLengths(std::span<const uint8_t> frame, stem_reason reason) {
  switch (reason) {
    case STEM_REASON_unknown_interface:
    case STEM_REASON_truncated:
    case STEM_REASON_bad_header:
    case STEM_REASON_not_ip:
    case STEM_REASON_too_many_vlans:
    case STEM_REASON_ext_header_cap:
    case STEM_REASON_arp_passed:
      return;
    default:
      break;
  }
  const size_t ip = NetworkHeaderAt(frame);
  MUST_HOLD(frame.size() >= ip + 20);
  if (frame[ip] >> 4 == 4) {
    MUST_HOLD(ip + Word(frame, ip + 2) <= frame.size());
  } else {
    MUST_HOLD(ip + 40 + Word(frame, ip + 4) <= frame.size());
  }
}

// A module in observe drops nothing.
void PipelineOracle::JudgeModules(stem_reason reason) const {
  const stem_module module = kReasons[reason].module;
  if (!kReasons[reason].is_drop || module == STEM_MODULE_core) return;
  MUST_HOLD(machine_.constants().module_mode[module] != STEM_MODULE_OBSERVE);
}

void PipelineOracle::JudgeBytes(std::span<const uint8_t> frame, const Fate& fate,
                                stem_reason reason) const {
  const pipeline_constants& constants = machine_.constants();
  const bool to_agent = reason == STEM_REASON_sip_to_agent ||
                        reason == STEM_REASON_sip_rate_to_agent ||
                        reason == STEM_REASON_fragment_to_agent;
  MUST_HOLD(fate.socket.has_value() == to_agent);
  const size_t ip = NetworkHeaderAt(frame);
  if (reason == STEM_REASON_media_relayed) {
    MUST_HOLD(fate.redirected_to == constants.outside_ifindex ||
              fate.redirected_to == constants.inside_ifindex);
    MUST_HOLD(fate.out.size() == frame.size());
    const bool v4 = frame[ip] >> 4 == 4;
    const size_t ttl = ip + (v4 ? 8 : 7);
    MUST_HOLD(frame[ttl] > 1 && fate.out[ttl] == frame[ttl] - 1);
    for (size_t i = 2 * ETH_ALEN; i < frame.size(); ++i) {
      const bool checksum = v4 && (i == ip + 10 || i == ip + 11);
      MUST_HOLD(fate.out[i] == frame[i] || i == ttl || checksum);
    }
    if (v4 && Sum(frame.subspan(ip, 20)) == 0xffff) {
      MUST_HOLD(Sum(std::span(fate.out).subspan(ip, 20)) == 0xffff);
    }
  } else if (reason == STEM_REASON_syn_challenged) {
    MUST_HOLD(fate.redirected_to != 0);
    MUST_HOLD(fate.out.size() <= frame.size());
    const std::span<const uint8_t> out(fate.out);
    const bool v4 = out[ip] >> 4 == 4;
    const size_t tcp = ip + (v4 ? 20 : 40), addresses = v4 ? ip + 12 : ip + 8;
    MUST_HOLD(out.size() == tcp + 20);
    MUST_HOLD(Sum(out.subspan(addresses), IPPROTO_TCP + 20) == 0xffff);
    if (v4) MUST_HOLD(Sum(out.subspan(ip, 20)) == 0xffff);
  } else if (to_agent) {
    stem_handover handover;
    MUST_HOLD(fate.out.size() == frame.size());
    std::memcpy(&handover, fate.out.data() + ETH_ALEN, sizeof(handover));
    MUST_HOLD(handover.mark == STEM_HANDOVER_MARK && handover.reason == reason);
    MUST_HOLD(std::equal(frame.begin(), frame.begin() + ETH_ALEN, fate.out.begin()));
    MUST_HOLD(
        std::equal(frame.begin() + 2 * ETH_ALEN, frame.end(), fate.out.begin() + 2 * ETH_ALEN));
    MUST_HOLD(fate.redirected_to == 0);
  } else {
    MUST_HOLD(std::equal(frame.begin(), frame.end(), fate.out.begin(), fate.out.end()));
    MUST_HOLD(fate.redirected_to == 0);
  }
}

bool PipelineOracle::JudgePinholes(std::span<const uint8_t> frame) {
  int passed = 0;
  for (auto& [key, seen] : pinholes_) {
    stem_pinhole_key kernel_key;
    std::memcpy(&kernel_key, key.data(), sizeof(kernel_key));
    const stem_pinhole* pinhole = machine_.FindPinhole(kernel_key);
    MUST_HOLD(pinhole != nullptr);
    if (pinhole->packets == seen.packets) {
      MUST_HOLD(pinhole->bytes == seen.bytes);
      continue;
    }
    ++passed;
    MUST_HOLD(pinhole->packets == seen.packets + 1);
    const uint64_t bytes = pinhole->bytes - seen.bytes;
    MUST_HOLD(bytes >= 28 && bytes <= frame.size());
    seen.packets = pinhole->packets;
    seen.bytes = pinhole->bytes;
    const std::optional<SeenDatagram> datagram = ReadDatagram(frame);
    MUST_HOLD(datagram.has_value());
    JudgePeer(*pinhole, *datagram, seen);
    const auto* limits = static_cast<const stem_media_limits*>(
        machine_.map("media_limits").Lookup(&pinhole->limits));
    MUST_HOLD(limits != nullptr);
    JudgeRate(*limits, bytes, seen);
    JudgeSequence(*pinhole, *limits, *datagram, seen);
  }
  MUST_HOLD(passed <= 1);
  return passed == 1;
}

void PipelineOracle::JudgePeer(const stem_pinhole& pinhole, const SeenDatagram& datagram,
                               SeenPinhole& seen) {
  const IpAddress peer = IpAddress::FromV6(pinhole.peer_address);
  const bool its_address = datagram.source.address == peer;
  switch (pinhole.peer_match) {
    case STEM_PEER_ENDPOINT:
      MUST_HOLD(its_address && datagram.source.port == pinhole.peer_port);
      return;
    case STEM_PEER_ADDRESS:
      MUST_HOLD(its_address);
      return;
    case STEM_PEER_ANY:
      return;
    case STEM_PEER_LATCH:
      if (!seen.latched) seen.latched = datagram.source;
      MUST_HOLD(*seen.latched == datagram.source);
      MUST_HOLD(its_address || peer == IpAddress());
      return;
    default:
      MUST_HOLD(!"nobody may send here");
  }
}

// No more than burst + rate x time, over every stretch of time: a leaky bucket never overflows.
void PipelineOracle::JudgeRate(const stem_media_limits& limits, uint64_t bytes, SeenPinhole& seen) {
  if (machine_.constants().module_mode[STEM_MODULE_policing] != STEM_MODULE_ON) return;
  const uint64_t elapsed = Units(machine_.now_ns - seen.level_ns);
  seen.level_ns = machine_.now_ns;
  const auto pour = [&](uint64_t& level, const stem_rate& rate, uint64_t units) {
    level = level > elapsed ? level - elapsed : 0;
    if (rate.cost == 0) return;
    level += rate.cost * units;
    MUST_HOLD(level <= rate.tolerance);
  };
  pour(seen.level[0], limits.bytes, bytes);
  pour(seen.level[1], limits.packets, 1);
}

// Each number once, the newest 48 are told apart, and a new beginning needs silence.
void PipelineOracle::JudgeSequence(const stem_pinhole& pinhole, const stem_media_limits& limits,
                                   const SeenDatagram& datagram, SeenPinhole& seen) {
  const std::span<const uint8_t> rtp = datagram.payload;
  if (machine_.constants().module_mode[STEM_MODULE_rtp_checks] != STEM_MODULE_ON) {
    seen.pinned = false;
    return;
  }
  if (pinhole.media == STEM_MEDIA_UDP || limits.extras & STEM_EXTRA_MANY_SSRCS) return;
  MUST_HOLD(rtp.size() >= 8);
  if (rtp[0] >> 6 != 2) {
    MUST_HOLD(rtp[0] < 4 ? limits.extras & STEM_EXTRA_STUN : limits.extras & STEM_EXTRA_DTLS);
    return;
  }
  const bool rtcp = rtp[1] >= 192 && rtp[1] <= 223;
  MUST_HOLD(pinhole.media != (rtcp ? STEM_MEDIA_RTP : STEM_MEDIA_RTCP));
  if (rtcp) return;
  MUST_HOLD(rtp.size() >= 12);
  const uint8_t type = rtp[1] & 0x7f;
  const bool any_type = (limits.payload_types[0] | limits.payload_types[1]) == 0;
  MUST_HOLD(any_type || (limits.payload_types[type / 64] >> type % 64 & 1) != 0);

  const uint16_t number = Word(rtp, 2);
  const uint32_t ssrc = static_cast<uint32_t>(Word(rtp, 8)) << 16 | Word(rtp, 10);
  const bool silent = machine_.now_ns >= seen.last_good_ns + machine_.constants().ssrc_relatch_ns;
  seen.last_good_ns = machine_.now_ns;
  const auto ahead = static_cast<uint16_t>(number - seen.highest);
  const auto behind = static_cast<uint16_t>(-ahead);
  const bool far_off = behind >= STEM_RTP_WINDOW_BITS && ahead >= 3000;
  if (!seen.pinned || ssrc != seen.ssrc || far_off) {
    MUST_HOLD(!seen.pinned || silent);
    seen.pinned = true;
    seen.ssrc = ssrc;
    seen.highest = number;
    seen.passed.clear();
    // What came before the first is not waited for.
    for (int i = 0; i < STEM_RTP_WINDOW_BITS; ++i) {
      seen.passed.insert(static_cast<uint16_t>(number - i));
    }
    return;
  }
  MUST_HOLD(!seen.passed.contains(number));
  seen.passed.insert(number);
  if (ahead >= 3000) return;
  seen.highest = number;
  std::erase_if(seen.passed, [number](uint16_t old) {
    return static_cast<uint16_t>(number - old) >= STEM_RTP_WINDOW_BITS;
  });
}

}  // namespace stem
