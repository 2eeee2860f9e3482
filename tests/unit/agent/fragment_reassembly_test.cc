// SPDX-License-Identifier: Apache-2.0
// Fragments put together: in any order, cut anywhere, never more than their bounds.
#include "agent/dataplane/fragment_reassembly.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "agent/dataplane/ip_packet.h"

namespace stem {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

Endpoint At(std::string_view text) { return *Endpoint::Parse(text); }

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string Payload(size_t size) {
  std::string out(size, '\0');
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 7 + i / 251);
  return out;
}

// `bytes` of an IPv4 packet's data from `offset` on, as a fragment.
std::string Cut(const std::string& packet, size_t offset, size_t bytes, uint16_t id = 0x1234) {
  std::string out = packet.substr(0, 20) + packet.substr(20 + offset, bytes);
  const bool more = 20 + offset + bytes < packet.size();
  const uint16_t field = static_cast<uint16_t>(offset / 8 | (more ? 0x2000 : 0));
  out[2] = static_cast<char>(out.size() >> 8);
  out[3] = static_cast<char>(out.size());
  out[4] = static_cast<char>(id >> 8);
  out[5] = static_cast<char>(id);
  out[6] = static_cast<char>(field >> 8);
  out[7] = static_cast<char>(field);
  return out;
}

class FragmentReassemblyTest : public testing::Test {
 protected:
  std::optional<FragmentReassembly::Reassembled> Take(const std::string& fragment) {
    return reassembly->Take(Bytes(fragment), STEM_SIDE_OUTSIDE, now_ns);
  }
  // The payload, when `fragments` in this order make one datagram with the last of them.
  std::optional<std::string> Join(const std::vector<std::string>& fragments) {
    std::optional<FragmentReassembly::Reassembled> whole;
    for (const std::string& fragment : fragments) {
      EXPECT_FALSE(whole) << "complete before the last";
      whole = Take(fragment);
    }
    if (!whole) return std::nullopt;
    const auto datagram = DecodePacket(Bytes(whole->packet));
    EXPECT_TRUE(datagram.ok()) << datagram.status();
    if (!datagram.ok()) return std::nullopt;
    return datagram->payload;
  }
  void Limit(ReassemblyLimits limits) { reassembly.emplace(limits); }
  const ReassemblyCounters& counters() const { return reassembly->counters(); }
  void ExpectEmpty() {
    EXPECT_EQ(reassembly->datagrams().used, 0u);
    EXPECT_EQ(reassembly->bytes().used, 0u);
  }

  std::string V4(size_t payload) {
    return *EncodeUdp(At("192.0.2.10:5060"), At("198.51.100.10:5060"), Payload(payload), 0x1234);
  }
  std::vector<std::string> V6(size_t payload, size_t size) {
    return SplitIpv6(
        *EncodeUdp(At("[2001:db8:1::10]:5060"), At("[2001:db8:2::10]:5060"), Payload(payload)),
        size, 77);
  }
  uint64_t now_ns = kSecond;
  std::optional<FragmentReassembly> reassembly{ReassemblyLimits()};
};

TEST_F(FragmentReassemblyTest, CutAtEveryUnitInBothOrders) {
  const std::string packet = V4(400);
  for (size_t at = 8; at < packet.size() - 20; at += 8) {
    const std::string a = Cut(packet, 0, at), b = Cut(packet, at, packet.size());
    EXPECT_EQ(Join({a, b}), Payload(400)) << at;
    EXPECT_EQ(Join({b, a}), Payload(400)) << at;
  }
  ExpectEmpty();
}

TEST_F(FragmentReassemblyTest, CutAtOtherThanUnitsIsMalformed) {
  const std::string packet = V4(100);
  for (size_t at = 1; at < 64; ++at) {
    if (at % 8 != 0) {
      EXPECT_FALSE(Take(Cut(packet, 0, at))) << at;
    }
  }
  EXPECT_EQ(counters().malformed, 56u);
  ExpectEmpty();
}

TEST_F(FragmentReassemblyTest, EveryOrderOfFourInBothFamilies) {
  const std::string packet = V4(3000);
  std::vector<std::string> v4 = {Cut(packet, 0, 800), Cut(packet, 800, 800), Cut(packet, 1600, 800),
                                 Cut(packet, 2400, 800)};
  std::vector<std::string> v6 = V6(3000, 848);
  ASSERT_EQ(v6.size(), 4u);
  for (std::vector<std::string>* fragments : {&v4, &v6}) {
    std::sort(fragments->begin(), fragments->end());
    do {
      EXPECT_EQ(Join(*fragments), Payload(3000));
    } while (std::next_permutation(fragments->begin(), fragments->end()));
  }
  EXPECT_EQ(counters().completed, 48u);
  ExpectEmpty();
}

TEST_F(FragmentReassemblyTest, TheWholePacketMayBeFragmentedAnew) {
  std::string packet = V4(3000);
  packet[1] = 0x2e;  // DSCP
  const auto whole =
      (Take(Cut(packet, 0, 1480)), Take(Cut(packet, 1480, 1480)), Take(Cut(packet, 2960, 1480)));
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->packet.size(), packet.size());
  EXPECT_EQ(whole->packet[1], 0x2e);
  EXPECT_EQ(whole->packet[6], 0) << "neither DF nor an offset";
  EXPECT_EQ(whole->fragment_size, 1500);
  EXPECT_EQ(whole->id, 0x1234u);
  uint32_t sum = 0;
  for (size_t i = 0; i < 20; i += 2)
    sum += Bytes(whole->packet)[i] << 8 | Bytes(whole->packet)[i + 1];
  EXPECT_EQ((sum & 0xffff) + (sum >> 16), 0xffffu) << "header checksum";
}

// Which comes last does not matter: the kernel judged the first.
TEST_F(FragmentReassemblyTest, TheReasonIsThatOfTheFirst) {
  const std::string packet = V4(1000);
  const auto take = [&](size_t offset, size_t bytes, stem_reason reason) {
    return reassembly->Take(Bytes(Cut(packet, offset, bytes)), STEM_SIDE_OUTSIDE, now_ns, reason);
  };
  EXPECT_FALSE(take(0, 400, STEM_REASON_sip_rate_to_agent));
  std::optional<FragmentReassembly::Reassembled> whole =
      take(400, 700, STEM_REASON_fragment_to_agent);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->reason, STEM_REASON_sip_rate_to_agent);
  EXPECT_FALSE(take(400, 700, STEM_REASON_fragment_to_agent));
  whole = take(0, 400, STEM_REASON_sip_rate_to_agent);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->reason, STEM_REASON_sip_rate_to_agent);
}

TEST_F(FragmentReassemblyTest, DuplicatesAreTolerated) {
  const std::string packet = V4(1000);
  const std::string a = Cut(packet, 0, 400), b = Cut(packet, 400, 400), c = Cut(packet, 800, 400);
  EXPECT_EQ(Join({a, a, b, b, a, c}), Payload(1000));
  EXPECT_EQ(counters().duplicates, 3u);
  EXPECT_EQ(counters().overlapping, 0u);
}

TEST_F(FragmentReassemblyTest, AnyOverlapGivesUpTheWholeDatagram) {
  const std::string packet = V4(1000);
  std::string other = Cut(packet, 400, 400);
  other.back() = static_cast<char>(other.back() + 1);
  const std::vector<std::string> offenders = {
      Cut(packet, 392, 400),  // into the one before
      Cut(packet, 408, 80),   // inside
      Cut(packet, 400, 408),  // longer
      other,                  // same place, other bytes
  };
  for (const std::string& offender : offenders) {
    Take(Cut(packet, 0, 400));
    Take(Cut(packet, 400, 400));
    EXPECT_FALSE(Take(offender));
    EXPECT_FALSE(Take(Cut(packet, 800, 400))) << "what would have completed it";
    EXPECT_FALSE(Join({Cut(packet, 0, 400), Cut(packet, 400, 400), Cut(packet, 800, 400)}))
        << "those still to come are dropped, too (RFC 5722)";
    now_ns += 11 * kSecond;
    reassembly->Expire(now_ns);
  }
  EXPECT_EQ(counters().overlapping, offenders.size());
  EXPECT_EQ(counters().timed_out, 0u);
  EXPECT_EQ(Join({Cut(packet, 0, 400), Cut(packet, 400, 400), Cut(packet, 800, 400)}),
            Payload(1000));
  ExpectEmpty();
}

TEST_F(FragmentReassemblyTest, TwoEndsAreAContradiction) {
  const std::string longer = V4(1000), shorter = V4(700);
  Take(Cut(longer, 0, 400));
  Take(Cut(longer, 800, 400));
  EXPECT_FALSE(Take(Cut(shorter, 400, 400)));
  EXPECT_EQ(counters().overlapping, 1u);
  now_ns += 11 * kSecond;
  Take(Cut(shorter, 400, 400));
  EXPECT_FALSE(Take(Cut(longer, 800, 400))) << "beyond the end";
  EXPECT_EQ(counters().overlapping, 2u);
}

TEST_F(FragmentReassemblyTest, LongerThanAPacketIsGivenUp) {
  std::string packet = V4(1000);
  std::string far = Cut(packet, 0, 400);
  far[6] = 0x1f;  // the ping of death: offset 65528
  far[7] = static_cast<char>(0xff);
  EXPECT_FALSE(Take(far));
  EXPECT_EQ(counters().too_large, 1u);
  EXPECT_EQ(reassembly->bytes().used, 512u) << "only that it was given up is remembered";
}

TEST_F(FragmentReassemblyTest, WhatDoesNotCompleteInTimeIsForgotten) {
  const std::string packet = V4(1000);
  Take(Cut(packet, 0, 400));
  now_ns += 10 * kSecond - 1;
  Take(Cut(packet, 400, 400));
  now_ns += 1;
  EXPECT_FALSE(Take(Cut(packet, 800, 400))) << "time counts from the first";
  EXPECT_EQ(counters().timed_out, 1u);
  EXPECT_EQ(reassembly->datagrams().used, 1u);
}

TEST_F(FragmentReassemblyTest, DatagramsAreToldApart) {
  const std::string packet = V4(1000);
  std::string elsewhere = V4(1000);
  elsewhere[15] = 99;  // source
  Take(Cut(packet, 0, 400, 1));
  EXPECT_FALSE(Take(Cut(packet, 400, 800, 2)));
  EXPECT_FALSE(Take(Cut(elsewhere, 400, 800, 1)));
  EXPECT_FALSE(reassembly->Take(Bytes(Cut(packet, 400, 800, 1)), STEM_SIDE_INSIDE, now_ns));
  EXPECT_TRUE(Take(Cut(packet, 400, 800, 1)));
}

TEST_F(FragmentReassemblyTest, EverythingIsBounded) {
  Limit({.datagrams = 4, .bytes = 1 << 20, .per_source = 2});
  const std::string packet = V4(1000);
  for (uint16_t id = 0; id < 10; ++id) Take(Cut(packet, 0, 400, id));
  EXPECT_EQ(reassembly->datagrams().used, 2u) << "the share of one source";
  for (char host = 1; host < 10; ++host) {
    std::string other = packet;
    other[15] = host;
    Take(Cut(other, 0, 400));
  }
  EXPECT_EQ(reassembly->datagrams().used, 4u);
  EXPECT_EQ(counters().full, 8u + 7u);
  Limit({.datagrams = 100, .bytes = 3000, .per_source = 100});
  for (uint16_t id = 0; id < 10; ++id) Take(Cut(packet, 0, 800, id));
  EXPECT_LE(reassembly->bytes().high_water, 3000u);
  EXPECT_GT(counters().full, 0u);
  now_ns += 11 * kSecond;
  reassembly->Expire(now_ns);
  ExpectEmpty();
}

TEST_F(FragmentReassemblyTest, TooManyPartsAreGivenUp) {
  const std::string packet = V4(2000);
  for (size_t at = 0; at < 1200; at += 8) Take(Cut(packet, at, 8));
  EXPECT_EQ(counters().too_large, 1u);
}

TEST_F(FragmentReassemblyTest, AnAtomicFragmentIsWholeAndLeavesNothing) {
  std::string packet = *EncodeUdp(At("[2001:db8:1::10]:5060"), At("[2001:db8:2::10]:5060"), "hi");
  packet.insert(40, std::string("\x11\0\0\0\0\0\0\x4d", 8));
  packet[6] = 44;
  packet[5] = static_cast<char>(packet.size() - 40);
  EXPECT_EQ(Join({packet}), "hi");
  ExpectEmpty();
}

TEST_F(FragmentReassemblyTest, SplitFitsAndJoins) {
  for (const size_t size : {64u, 200u, 1280u, 1500u}) {
    const std::vector<std::string> fragments = V6(3000, size);
    for (const std::string& fragment : fragments) EXPECT_LE(fragment.size(), size);
    if (fragments.size() <= 128) {
      EXPECT_EQ(Join(fragments), Payload(3000)) << size;
    }
  }
  EXPECT_EQ(V6(100, 1280).size(), 1u) << "what fits stays whole";
}

// Random pieces of few datagrams, some spoilt: nothing that comes out is anything but what went in,
// and bounds hold.
TEST_F(FragmentReassemblyTest, RandomFragments) {
  Limit({.datagrams = 8, .bytes = 16 << 10, .per_source = 8});
  std::mt19937 random(1);
  const auto below = [&](size_t n) { return random() % n; };
  const std::string packet = V4(600);
  size_t joined = 0;
  for (int i = 0; i < 200'000; ++i) {
    now_ns += below(kSecond / 20);
    std::string fragment = Cut(packet, below(4) * 152, 152, static_cast<uint16_t>(below(12)));
    const bool spoilt = below(50) == 0;
    if (spoilt) fragment[below(12)] = static_cast<char>(random());
    if (below(200) == 0) fragment.resize(below(fragment.size()));
    if (const auto whole = Take(fragment)) {
      ++joined;
      const auto datagram = DecodePacket(Bytes(whole->packet));
      if (datagram.ok()) {
        EXPECT_EQ(datagram->payload, Payload(600));
      }
    }
    ASSERT_LE(reassembly->datagrams().used, 8u);
    ASSERT_LE(reassembly->bytes().used, 16u << 10);
  }
  EXPECT_GT(joined, 1000u);
  now_ns += 11 * kSecond;
  reassembly->Expire(now_ns);
  ExpectEmpty();
}

// Found by fuzzing: put together, it would have been written as an IPv4 packet.
TEST_F(FragmentReassemblyTest, AnIpv4AddressInAnIpv6HeaderIsRefused) {
  const auto whole =
      EncodeUdp(At("[2001:db8:1::10]:5060"), At("[2001:db8:2::10]:5060"), Payload(2000));
  ASSERT_TRUE(whole.ok()) << whole.status();
  FragmentReassembly reassembly{ReassemblyLimits{}};
  for (std::string piece : SplitIpv6(*whole, 1280, 7)) {
    piece.replace(8, 12, std::string(10, '\0') + "\xff\xff");
    EXPECT_FALSE(reassembly.Take(Bytes(piece), STEM_SIDE_OUTSIDE, kSecond));
  }
  EXPECT_EQ(reassembly.counters().malformed, 2u);
  EXPECT_EQ(reassembly.datagrams().used, 0u);
}

}  // namespace
}  // namespace stem
