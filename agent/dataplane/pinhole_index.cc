// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/pinhole_index.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "bpf/pinhole_hash.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr uint32_t kPinholesInABucket = 4;
constexpr uint32_t kTagShift = 24;

template <typename T>
void Store(T& word, T value) {
  std::atomic_ref(word).store(value, std::memory_order_release);
}

bool IsSame(const stem_pinhole_key& a, const stem_pinhole_key& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

uint32_t PlaceOf(uint32_t slot) { return (slot & STEM_SLOT_PLACE) - 1; }

}  // namespace

uint32_t PinholeIndex::BucketsFor(uint32_t max_pinholes) {
  return std::max(2u, std::bit_ceil((max_pinholes + kPinholesInABucket - 1) / kPinholesInABucket));
}

uint32_t PinholeIndex::ShiftFor(uint32_t max_pinholes) {
  return 64 - static_cast<uint32_t>(std::countr_zero(BucketsFor(max_pinholes)));
}

PinholeIndex::PinholeIndex(std::span<stem_pinhole_bucket> elements,
                           std::span<const stem_pinhole> pinholes)
    : buckets_(elements.first(elements.size() - 1)),
      pinholes_(pinholes),
      shift_(64 - static_cast<uint32_t>(std::countr_zero(buckets_.size()))) {
  stem_pinhole_hash_keys(elements.back().marks, keys_.data());
}

PinholeIndex::Home PinholeIndex::HomeOf(const stem_pinhole_key& key) const {
  __u64 address[2];
  std::memcpy(address, key.address, sizeof(address));
  const uint64_t hash = stem_pinhole_hash(address, key.port, key.from_side, keys_.data());
  return {static_cast<uint32_t>(hash >> shift_), stem_pinhole_tag(hash)};
}

absl::StatusOr<std::vector<uint32_t>> PinholeIndex::Adopt() {
  std::vector<uint32_t> places;
  std::vector<bool> seen(pinholes_.size());
  const auto is_right = [&](uint32_t slot, uint32_t bucket) {
    const uint32_t place = PlaceOf(slot);
    if (place >= pinholes_.size() || seen[place] || pinholes_[place].place != place) return false;
    seen[place] = true;
    const Home home = HomeOf(pinholes_[place].key);
    return home.bucket / 2 == bucket / 2 && home.tag == slot >> kTagShift;
  };
  for (uint32_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    for (const uint32_t slot : buckets_[bucket].slot) {
      if (slot == 0) continue;
      const uint32_t place = PlaceOf(slot);
      if (!is_right(slot, bucket)) {
        return absl::FailedPreconditionError(fmt::format(
            "bucket {} of pinhole_index leads to place {} of {}, where no pinhole of this bucket "
            "is: "
            "another program wrote into the maps; `stem-agent --config FILE --remove` before "
            "starting ends the calls",
            bucket, place, pinholes_.size()));
      }
      places.push_back(place);
    }
  }
  for (uint32_t bucket = 0; bucket < buckets_.size(); ++bucket) SetMarks(bucket);
  return places;
}

std::optional<uint32_t> PinholeIndex::Find(const stem_pinhole_key& key) const {
  const Home home = HomeOf(key);
  for (const uint32_t bucket : {home.bucket, home.bucket ^ 1}) {
    for (const uint32_t slot : buckets_[bucket].slot) {
      if (slot >> kTagShift != home.tag || slot == 0) continue;
      const uint32_t place = PlaceOf(slot);
      if (IsSame(pinholes_[place].key, key)) return place;
    }
  }
  return std::nullopt;
}

bool PinholeIndex::Add(const stem_pinhole_key& key, uint32_t place) {
  const Home home = HomeOf(key);
  for (const uint32_t bucket : {home.bucket, home.bucket ^ 1}) {
    auto& slots = buckets_[bucket].slot;
    uint32_t* const free = std::find(std::begin(slots), std::end(slots), 0);
    if (free == std::end(slots)) continue;
    uint64_t marks = buckets_[home.bucket].marks | stem_pinhole_mark(home.tag);
    if (bucket != home.bucket) marks |= STEM_BUCKET_OVERFLOWS;
    Store<__u64>(buckets_[home.bucket].marks, marks);
    Store<__u32>(*free, home.tag << kTagShift | (place + 1));
    return true;
  }
  return false;
}

uint32_t* PinholeIndex::SlotOf(const Home& home, uint32_t place) {
  const uint32_t wanted = home.tag << kTagShift | (place + 1);
  for (const uint32_t bucket : {home.bucket, home.bucket ^ 1}) {
    auto& slots = buckets_[bucket].slot;
    uint32_t* const found = std::find(std::begin(slots), std::end(slots), wanted);
    if (found != std::end(slots)) return found;
  }
  return nullptr;
}

void PinholeIndex::Move(const stem_pinhole_key& key, uint32_t from, uint32_t to) {
  const Home home = HomeOf(key);
  if (uint32_t* const slot = SlotOf(home, from)) {
    Store<__u32>(*slot, home.tag << kTagShift | (to + 1));
  }
}

void PinholeIndex::Remove(const stem_pinhole_key& key, uint32_t place) {
  const Home home = HomeOf(key);
  if (uint32_t* const slot = SlotOf(home, place)) Store<__u32>(*slot, 0);
  SetMarks(home.bucket);
}

// Those of all pinholes at home there, in it or beside it.
void PinholeIndex::SetMarks(uint32_t bucket) {
  uint64_t marks = 0;
  for (const uint32_t where : {bucket, bucket ^ 1}) {
    for (const uint32_t slot : buckets_[where].slot) {
      if (slot == 0) continue;
      const Home home = HomeOf(pinholes_[PlaceOf(slot)].key);
      if (home.bucket != bucket) continue;
      marks |= stem_pinhole_mark(home.tag);
      if (where != bucket) marks |= STEM_BUCKET_OVERFLOWS;
    }
  }
  Store<__u64>(buckets_[bucket].marks, marks);
}

std::vector<uint32_t> PinholeIndex::Places() const {
  std::vector<uint32_t> places;
  for (const stem_pinhole_bucket& bucket : buckets_) {
    for (const uint32_t slot : bucket.slot) {
      if (slot != 0) places.push_back(PlaceOf(slot));
    }
  }
  return places;
}

}  // namespace stem
