// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/pinhole_filter.h"

#include <bpf/bpf.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>

#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/map_walk.h"
#include "bpf/pinhole_hash.h"
#include "common/status_macros.h"

namespace stem {
namespace {

constexpr uint32_t kWordBits = 64;
constexpr uint8_t kFull = std::numeric_limits<uint8_t>::max();

void Store(uint64_t& word, uint64_t value) {
  std::atomic_ref(word).store(value, std::memory_order_release);
}

}  // namespace

uint32_t PinholeFilter::WordsFor(uint32_t max_pinholes) {
  const uint64_t bits = uint64_t{max_pinholes} * STEM_FILTER_BITS_PER_PINHOLE;
  return static_cast<uint32_t>(std::bit_ceil(std::max<uint64_t>(bits, kWordBits)) / kWordBits);
}

uint32_t PinholeFilter::ShiftFor(uint32_t words) {
  return 64 - static_cast<uint32_t>(std::countr_zero(uint64_t{words} * kWordBits));
}

absl::StatusOr<std::unique_ptr<PinholeFilter>> PinholeFilter::Open(int filter_fd, int pinholes_fd) {
  bpf_map_info info{};
  uint32_t length = sizeof(info);
  if (bpf_obj_get_info_by_fd(filter_fd, &info, &length) != 0) {
    return ErrnoStatus(errno, "describing map pinhole_filter");
  }
  void* memory = mmap(nullptr, size_t{info.max_entries} * sizeof(uint64_t), PROT_READ | PROT_WRITE,
                      MAP_SHARED, filter_fd, 0);
  if (memory == MAP_FAILED) return ErrnoStatus(errno, "mapping pinhole_filter into memory");
  std::unique_ptr<PinholeFilter> filter(
      new PinholeFilter(static_cast<uint64_t*>(memory), size_t{info.max_entries} * kWordBits));
  std::vector<uint64_t> words(info.max_entries);
  RETURN_IF_ERROR((WalkMap<stem_pinhole_key, stem_pinhole>(
      pinholes_fd, "pinholes", [&](const stem_pinhole_key& key, const stem_pinhole&) {
        const size_t bit = filter->BitOf(key);
        words[bit / kWordBits] |= uint64_t{1} << bit % kWordBits;
        filter->open_[bit] += filter->open_[bit] < kFull ? 1 : 0;
      })));
  for (size_t i = 0; i < words.size(); ++i) Store(filter->words_[i], words[i]);
  return filter;
}

PinholeFilter::PinholeFilter(uint64_t* words, size_t bits)
    : words_(words), shift_(ShiftFor(static_cast<uint32_t>(bits / kWordBits))), open_(bits) {}

PinholeFilter::~PinholeFilter() { munmap(words_, open_.size() / 8); }

size_t PinholeFilter::BitOf(const stem_pinhole_key& key) const {
  __u64 address[2];
  std::memcpy(address, key.address, sizeof(address));
  return stem_pinhole_hash(address, key.port, key.from_side) >> shift_;
}

void PinholeFilter::Add(const stem_pinhole_key& key) {
  const size_t bit = BitOf(key);
  if (open_[bit] < kFull) ++open_[bit];
  uint64_t& word = words_[bit / kWordBits];
  Store(word, word | uint64_t{1} << bit % kWordBits);
}

void PinholeFilter::Remove(const stem_pinhole_key& key) {
  const size_t bit = BitOf(key);
  if (open_[bit] == 0 || open_[bit] == kFull || --open_[bit] > 0) return;
  uint64_t& word = words_[bit / kWordBits];
  Store(word, word & ~(uint64_t{1} << bit % kWordBits));
}

}  // namespace stem
