// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/fragment_reassembly.h"

#include <algorithm>
#include <utility>

namespace stem {
namespace {

constexpr size_t kMostBytes = 65535;
// Fragments of 576-byte packets, the least an IPv4 host takes, make 117 of the longest datagram.
constexpr size_t kMostParts = 128;
// What keeping a datagram or a part costs besides its bytes.
constexpr uint64_t kDatagramCost = 512;
constexpr uint64_t kPartCost = 96;

std::string_view TextOf(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const uint8_t> BytesOf(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

FragmentReassembly::FragmentReassembly(ReassemblyLimits limits)
    : limits_(limits),
      datagrams_("fragmented datagrams", limits.datagrams),
      bytes_("fragment bytes", limits.bytes) {}

std::optional<FragmentReassembly::Reassembled> FragmentReassembly::Take(
    std::span<const uint8_t> ip_packet, stem_side from, uint64_t now_ns, stem_reason reason) {
  Expire(now_ns);
  const std::optional<IpFragment> fragment = ReadFragment(ip_packet);
  const bool whole_units = fragment && (!fragment->more || fragment->data.size() % 8 == 0);
  if (!whole_units || fragment->data.empty()) {
    ++counters_.malformed;
    return std::nullopt;
  }
  const Key key{fragment->source, fragment->destination, fragment->id, fragment->protocol, from};
  if (fragment->offset == 0 && !fragment->more) {
    // Atomic: whole by itself, whatever else has its identification (RFC 6946, 4).
    std::optional<std::string> packet = WholePacket(*fragment, TextOf(fragment->data));
    if (!packet) return std::nullopt;
    return Reassembled{*std::move(packet), fragment->id, static_cast<uint16_t>(fragment->length),
                       reason};
  }
  Waiting* waiting = FindOrMake(key, now_ns);
  if (waiting == nullptr || waiting->given_up) return std::nullopt;
  if (!Keep(*waiting, *fragment, ip_packet)) return std::nullopt;
  if (fragment->offset == 0) waiting->reason = reason;
  if (!waiting->total || waiting->received != *waiting->total) return std::nullopt;
  return Complete(key, *waiting);
}

void FragmentReassembly::Expire(uint64_t now_ns) {
  while (!oldest_first_.empty()) {
    const Key key = oldest_first_.front();
    const Waiting& oldest = waiting_.at(key);
    if (now_ns < oldest.expires_ns) return;
    if (!oldest.given_up) ++counters_.timed_out;
    Erase(key);
  }
}

FragmentReassembly::Waiting* FragmentReassembly::FindOrMake(const Key& key, uint64_t now_ns) {
  if (const auto at = waiting_.find(key); at != waiting_.end()) return &at->second;
  const auto source = sources_.find(key.source);
  const bool share_used = source != sources_.end() && source->second >= limits_.per_source;
  if (share_used || !datagrams_.Take()) {
    ++counters_.full;
    return nullptr;
  }
  if (!bytes_.Take(kDatagramCost)) {
    datagrams_.Give();
    ++counters_.full;
    return nullptr;
  }
  ++sources_[key.source];
  Waiting waiting;
  waiting.cost = kDatagramCost;
  waiting.expires_ns = now_ns + static_cast<uint64_t>(limits_.timeout.count());
  waiting.place = oldest_first_.insert(oldest_first_.end(), key);
  return &waiting_.emplace(key, std::move(waiting)).first->second;
}

bool FragmentReassembly::Keep(Waiting& waiting, const IpFragment& fragment,
                              std::span<const uint8_t> packet) {
  const size_t begin = fragment.offset;
  const size_t end = begin + fragment.data.size();
  const auto next = waiting.parts.lower_bound(begin);
  if (next != waiting.parts.end() && next->first == begin &&
      next->second == TextOf(fragment.data)) {
    ++counters_.duplicates;
    return false;
  }
  const bool overlaps_next = next != waiting.parts.end() && next->first < end;
  const bool overlaps_previous = next != waiting.parts.begin() &&
                                 std::prev(next)->first + std::prev(next)->second.size() > begin;
  // Where the last one ends, the datagram does: nothing lies beyond, and no other end is believed.
  const bool beyond = waiting.total && (fragment.more ? end >= *waiting.total : true);
  const bool cuts = !fragment.more && next != waiting.parts.end();
  if (overlaps_next || overlaps_previous || beyond || cuts) {
    GiveUp(waiting, counters_.overlapping);
    return false;
  }
  if (end + fragment.headers.size() > kMostBytes || waiting.parts.size() == kMostParts) {
    GiveUp(waiting, counters_.too_large);
    return false;
  }
  const uint64_t cost =
      kPartCost + fragment.data.size() + (begin == 0 ? fragment.headers.size() : 0);
  if (!bytes_.Take(cost)) {
    ++counters_.full;
    return false;
  }
  waiting.cost += cost;
  waiting.parts.emplace_hint(next, begin, TextOf(fragment.data));
  waiting.received += fragment.data.size();
  waiting.largest = std::max(waiting.largest, static_cast<uint16_t>(fragment.length));
  if (begin == 0) waiting.first = TextOf(packet.first(fragment.length));
  if (!fragment.more) waiting.total = end;
  return true;
}

// Its fragments are forgotten, but not that it was given up: those to come are dropped.
void FragmentReassembly::GiveUp(Waiting& waiting, uint64_t& counter) {
  ++counter;
  waiting.given_up = true;
  waiting.parts.clear();
  waiting.first.clear();
  bytes_.Give(waiting.cost - kDatagramCost);
  waiting.cost = kDatagramCost;
}

std::optional<FragmentReassembly::Reassembled> FragmentReassembly::Complete(const Key& key,
                                                                            Waiting& waiting) {
  std::string data;
  data.reserve(waiting.received);
  for (const auto& [offset, part] : waiting.parts) data += part;
  const std::optional<IpFragment> first = ReadFragment(BytesOf(waiting.first));
  std::optional<std::string> packet;
  if (first) packet = WholePacket(*first, data);
  Reassembled out{packet.value_or(""), key.id, waiting.largest, waiting.reason};
  Erase(key);
  if (!packet) {
    ++counters_.too_large;
    return std::nullopt;
  }
  ++counters_.completed;
  return out;
}

void FragmentReassembly::Erase(const Key& key) {
  const auto at = waiting_.find(key);
  oldest_first_.erase(at->second.place);
  bytes_.Give(at->second.cost);
  datagrams_.Give();
  const auto source = sources_.find(key.source);
  if (--source->second == 0) sources_.erase(source);
  waiting_.erase(at);
}

}  // namespace stem
