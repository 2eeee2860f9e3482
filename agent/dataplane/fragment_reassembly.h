// SPDX-License-Identifier: Apache-2.0
// Reassembly of IP fragments (RFC 791, RFC 815; RFC 8200, 4.5), bounded in every direction: SIP
// over UDP comes in fragments as soon as a message is longer than the MTU. Pure: the clock is the
// caller's.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "agent/dataplane/ip_fragment.h"
#include "agent/protocol_parser/call_limits.h"
#include "bpf/stem_abi.h"
#include "common/address.h"

namespace stem {

struct ReassemblyLimits {
  size_t datagrams = 256;    // incomplete ones; full: a newcomer's fragments are dropped
  uint64_t bytes = 4 << 20;  // in all of them, with what keeping them costs
  size_t per_source = 16;    // incomplete datagrams of one address
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);  // from the first to come

  bool operator==(const ReassemblyLimits&) const = default;
};

struct ReassemblyCounters {
  uint64_t completed = 0;
  uint64_t timed_out = 0;    // datagrams
  uint64_t overlapping = 0;  // datagrams given up because their fragments overlap or contradict
  uint64_t too_large = 0;    // datagrams longer than 65535, or of too many fragments
  uint64_t malformed = 0;    // fragments
  uint64_t duplicates = 0;   // fragments
  uint64_t full = 0;         // fragments for which there was no room
};

class FragmentReassembly {
 public:
  explicit FragmentReassembly(ReassemblyLimits limits);

  struct Reassembled {
    std::string packet;                             // the whole IP packet
    uint32_t id = 0;                                // that its fragments had
    uint16_t fragment_size = 0;                     // of the largest, as IP packet
    stem_reason reason = STEM_REASON_sip_to_agent;  // why the kernel handed over the first of them
  };
  // Takes the fragment in `ip_packet`, which came in on `from` and for `reason`; the whole packet
  // when it was the last that was missing. A datagram whose fragments overlap is given up as a
  // whole, with those still to come (RFC 5722; for IPv4, too, where nobody can tell which of two is
  // meant); exact duplicates are ignored.
  std::optional<Reassembled> Take(std::span<const uint8_t> ip_packet, stem_side from,
                                  uint64_t now_ns, stem_reason reason = STEM_REASON_sip_to_agent);

  // Forgets what has waited too long. Take() does it, too.
  void Expire(uint64_t now_ns);

  const ReassemblyCounters& counters() const { return counters_; }
  TableUse datagrams() const { return datagrams_.use(); }
  TableUse bytes() const { return bytes_.use(); }

 private:
  struct Key {
    IpAddress source;
    IpAddress destination;
    uint32_t id = 0;
    uint8_t protocol = 0;
    stem_side from = STEM_SIDE_NONE;
    bool operator==(const Key&) const = default;

    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.source, key.destination, key.id, key.protocol,
                        static_cast<int>(key.from));
    }
  };
  struct Waiting {
    std::map<size_t, std::string> parts;  // by offset
    std::string first;                    // the packet with offset 0, whole
    std::optional<size_t> total;          // bytes of data, known from the last part
    size_t received = 0;
    uint64_t cost = 0;
    uint16_t largest = 0;
    stem_reason reason = STEM_REASON_sip_to_agent;  // of the first
    bool given_up = false;
    uint64_t expires_ns = 0;
    std::list<Key>::iterator place;
  };
  Waiting* FindOrMake(const Key& key, uint64_t now_ns);
  // False when it was not kept.
  bool Keep(Waiting& waiting, const IpFragment& fragment, std::span<const uint8_t> packet);
  void GiveUp(Waiting& waiting, uint64_t& counter);
  std::optional<Reassembled> Complete(const Key& key, Waiting& waiting);
  void Erase(const Key& key);

  const ReassemblyLimits limits_;
  ReassemblyCounters counters_;
  UseMeter datagrams_;
  UseMeter bytes_;
  absl::flat_hash_map<Key, Waiting> waiting_;
  absl::flat_hash_map<IpAddress, size_t> sources_;
  std::list<Key> oldest_first_;
};

}  // namespace stem
