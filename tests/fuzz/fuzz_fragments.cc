// SPDX-License-Identifier: Apache-2.0
// Fuzzes the reassembly of fragments: pieces of a few datagrams, raw packets, and time.
//
// Held against a plain record of every piece: a packet that comes out is made of pieces that came
// in for it and of nothing else, byte for byte; no table exceeds its limit; after the last timeout
// nothing is left.
//
// Input: limits (3 bytes), then steps of a byte (mod 3) and its arguments: 0 a piece (datagram,
// offset in 8 bytes (2), length and more, content), 1 a raw packet (length (2), bytes), 2 time.
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "agent/dataplane/fragment_reassembly.h"
#include "agent/dataplane/ip_packet.h"
#include "tests/fuzz/input_reader.h"
#include "tests/fuzz/must_hold.h"

namespace stem {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

ReassemblyLimits Limits(uint8_t datagrams, uint8_t kilobytes, uint8_t per_source) {
  ReassemblyLimits limits;
  limits.datagrams = 1u + datagrams % 16;
  limits.bytes = 1024u * (1 + kilobytes);
  limits.per_source = 1u + per_source % 8;
  limits.timeout = std::chrono::seconds(10);
  return limits;
}

class Script {
 public:
  explicit Script(std::span<const uint8_t> input)
      : in_(input), limits_(Limits(in_.Byte(), in_.Byte(), in_.Byte())), reassembly_(limits_) {}

  void Run() {
    while (!in_.empty()) {
      switch (in_.Byte() % 3) {
        case 0:
          Piece();
          break;
        case 1: {
          const std::span<const uint8_t> packet = in_.Bytes(in_.Word());
          Take({packet.begin(), packet.end()});
          break;
        }
        case 2:
          now_ns_ += uint64_t{1} << in_.Byte() % 36;
          reassembly_.Expire(now_ns_);
          break;
      }
      Check();
    }
    reassembly_.Expire(now_ns_ + 11 * kSecond);
    MUST_HOLD(reassembly_.datagrams().used == 0);
    MUST_HOLD(reassembly_.bytes().used == 0);
  }

 private:
  // What tells datagrams apart (RFC 791; RFC 8200, 4.5).
  using Key = std::tuple<IpAddress, IpAddress, uint32_t, uint8_t>;

  void Piece() {
    const uint8_t which = in_.Byte();
    const auto offset = static_cast<uint16_t>(in_.Word() % 8192);
    const uint8_t size = in_.Byte();
    const bool more = (size & 1) != 0;
    // Whole units, or, for a last one, whatever is left over.
    std::string data(more ? size / 2 * 8u : size * 3u, static_cast<char>(in_.Byte()));
    for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(data[i] + i + offset * 8);
    Take(which & 0x80 ? Ipv6(which, offset, more, data) : Ipv4(which, offset, more, data));
  }

  static std::vector<uint8_t> Join(const void* header, size_t size, std::string_view data) {
    const auto* bytes = static_cast<const uint8_t*>(header);
    std::vector<uint8_t> packet(bytes, bytes + size);
    packet.insert(packet.end(), data.begin(), data.end());
    return packet;
  }

  static std::vector<uint8_t> Ipv4(uint8_t which, uint16_t offset, bool more,
                                   std::string_view data) {
    iphdr ip{};
    ip.version = 4;
    ip.ihl = 5;
    ip.tot_len = htons(static_cast<uint16_t>(sizeof(ip) + data.size()));
    ip.id = htons(which % 4);
    ip.frag_off = htons(static_cast<uint16_t>(offset | (more ? IP_MF : 0)));
    ip.ttl = 64;
    ip.protocol = IPPROTO_UDP;
    ip.saddr = htonl(0xc0000200 + which / 4 % 4);
    ip.daddr = htonl(0xc6336414);
    return Join(&ip, sizeof(ip), data);
  }

  static std::vector<uint8_t> Ipv6(uint8_t which, uint16_t offset, bool more,
                                   std::string_view data) {
    struct {
      ip6_hdr ip;
      ip6_frag fragment;
    } headers{};
    headers.ip.ip6_flow = htonl(6u << 28);
    headers.ip.ip6_plen = htons(static_cast<uint16_t>(sizeof(headers.fragment) + data.size()));
    headers.ip.ip6_nxt = IPPROTO_FRAGMENT;
    headers.ip.ip6_src.s6_addr[15] = which / 4 % 4;
    headers.ip.ip6_dst.s6_addr[15] = 1;
    headers.fragment.ip6f_nxt = IPPROTO_UDP;
    headers.fragment.ip6f_offlg = htons(static_cast<uint16_t>(offset << 3 | (more ? 1 : 0)));
    headers.fragment.ip6f_ident = htonl(which % 4);
    return Join(&headers, sizeof(headers), data);
  }

  void Take(const std::vector<uint8_t>& packet) {
    const std::optional<IpFragment> piece = ReadFragment(packet);
    if (piece) Remember(*piece);
    const auto whole = reassembly_.Take(packet, STEM_SIDE_OUTSIDE, now_ns_);
    if (!whole) return;
    MUST_HOLD(piece.has_value());
    MUST_HOLD(whole->id == piece->id);
    JudgeWhole(KeyOf(*piece), whole->packet);
  }

  static Key KeyOf(const IpFragment& piece) {
    return {piece.source, piece.destination, piece.id, piece.protocol};
  }

  // What came for one datagram: its pieces by offset, the lengths of the headers of its beginnings.
  struct Record {
    std::vector<std::pair<size_t, std::vector<uint8_t>>> pieces;
    std::set<size_t> headers;
  };

  void Remember(const IpFragment& piece) {
    Record& record = seen_[KeyOf(piece)];
    if (piece.offset == 0) record.headers.insert(piece.headers.size());
    record.pieces.push_back({piece.offset, {piece.data.begin(), piece.data.end()}});
  }

  static bool IsMadeOf(std::span<const uint8_t> data, const Record& record) {
    std::vector<bool> found(data.size());
    for (const auto& [offset, bytes] : record.pieces) {
      for (size_t i = 0; i < bytes.size() && offset + i < data.size(); ++i) {
        if (data[offset + i] == bytes[i]) found[offset + i] = true;
      }
    }
    return std::find(found.begin(), found.end(), false) == found.end();
  }

  void JudgeWhole(const Key& key, const std::string& packet) {
    const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(packet.data()),
                                         packet.size());
    const bool v4 = std::get<0>(key).is_v4();
    MUST_HOLD(bytes.size() >= (v4 ? sizeof(iphdr) : sizeof(ip6_hdr)));
    const size_t length =
        v4 ? bytes[2] << 8 | bytes[3] : sizeof(ip6_hdr) + (bytes[4] << 8 | bytes[5]);
    MUST_HOLD(length == bytes.size());
    if (v4) MUST_HOLD(!ReadFragment(bytes));
    const Record& record = seen_.at(key);
    MUST_HOLD(std::any_of(record.headers.begin(), record.headers.end(), [&](size_t headers) {
      return headers <= bytes.size() && IsMadeOf(bytes.subspan(headers), record);
    }));
    (void)DecodePacket(bytes);  // what the agent does with it next
  }

  void Check() const {
    const TableUse datagrams = reassembly_.datagrams(), bytes = reassembly_.bytes();
    MUST_HOLD(datagrams.used <= limits_.datagrams && datagrams.limit == limits_.datagrams);
    MUST_HOLD(bytes.used <= limits_.bytes);
    MUST_HOLD((datagrams.used == 0) == (bytes.used == 0));
  }

  InputReader in_;
  const ReassemblyLimits limits_;
  FragmentReassembly reassembly_;
  uint64_t now_ns_ = kSecond;
  std::map<Key, Record> seen_;
};

}  // namespace
}  // namespace stem

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  stem::Script({data, size}).Run();
  return 0;
}
