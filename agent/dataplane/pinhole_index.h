// SPDX-License-Identifier: Apache-2.0
// Where the pinholes lie: map `pinhole_index`, a hash table whose buckets are cache lines.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "bpf/pinhole_hash.h"
#include "bpf/stem_abi.h"

namespace stem {

// The one writer of the map, while the kernel reads it: whatever it is doing, every pinhole that is
// in stays to be found. Only one thread may use it.
class PinholeIndex {
 public:
  // Buckets for so many pinholes, a power of two: four or fewer lie in one, of 14, on average.
  static uint32_t BucketsFor(uint32_t max_pinholes);
  // Elements of the map: one more, which keeps the seed.
  static uint32_t ElementsFor(uint32_t max_pinholes) { return BucketsFor(max_pinholes) + 1; }
  // What the pipeline shifts a hash by to have the number of its bucket.
  static uint32_t ShiftFor(uint32_t max_pinholes);

  // Of the memory of both maps, which must outlive it.
  PinholeIndex(std::span<stem_pinhole_bucket> elements, std::span<const stem_pinhole> pinholes);

  // The places that are in use, and makes the marks right, which a killed agent may have left
  // wrong. FAILED_PRECONDITION when an entry leads to what is no pinhole of its bucket.
  absl::StatusOr<std::vector<uint32_t>> Adopt();

  std::optional<uint32_t> Find(const stem_pinhole_key& key) const;

  // For a pinhole that was not in: `place` is what `pinholes` has for `key`. False, and nothing has
  // changed, when its bucket and the one beside it are full.
  bool Add(const stem_pinhole_key& key, uint32_t place);
  // The same pinhole, elsewhere: every packet finds the one or the other.
  void Move(const stem_pinhole_key& key, uint32_t from, uint32_t to);
  // Leaves `pinholes` as it is: packets may be on their way.
  void Remove(const stem_pinhole_key& key, uint32_t place);

  // Places in use.
  std::vector<uint32_t> Places() const;

 private:
  struct Home {
    uint32_t bucket;
    uint32_t tag;
  };
  Home HomeOf(const stem_pinhole_key& key) const;
  uint32_t* SlotOf(const Home& home, uint32_t place);
  void SetMarks(uint32_t bucket);

  const std::span<stem_pinhole_bucket> buckets_;
  const std::span<const stem_pinhole> pinholes_;
  std::array<__u64, STEM_PINHOLE_HASH_KEYS> keys_;
  const uint32_t shift_;
};

}  // namespace stem
