// SPDX-License-Identifier: Apache-2.0
// What pinholes allow, each once: map `media_limits`.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "bpf/stem_abi.h"

namespace stem {

// The one writer of the map. Only one thread may use it.
class MediaLimitTable {
 public:
  // For a table of so many pinholes, even when no two of them allow the same.
  static uint32_t EntriesFor(uint32_t max_pinholes);

  // Finds the entries of `limits_fd` that the open pinholes of `pinholes_fd` use.
  // FAILED_PRECONDITION when one of them uses an entry that does not exist.
  static absl::StatusOr<std::unique_ptr<MediaLimitTable>> Open(int limits_fd, int pinholes_fd);
  ~MediaLimitTable();
  MediaLimitTable(const MediaLimitTable&) = delete;
  MediaLimitTable& operator=(const MediaLimitTable&) = delete;

  // The entry with these limits, for one user more: before a pinhole with it is opened. There is
  // always one: every pinhole has one, and one is about to be changed.
  uint32_t Use(const stem_media_limits& limits);
  // After the pinhole is closed, or uses another. What nobody uses is written over as late as can
  // be: a packet on its way through the pinhole may still read it.
  void Release(uint32_t index);

  const stem_media_limits& At(uint32_t index) const { return entries_[index]; }

 private:
  using Words = std::array<uint64_t, sizeof(stem_media_limits) / sizeof(uint64_t)>;

  explicit MediaLimitTable(std::span<stem_media_limits> entries)
      : entries_(entries), users_(entries.size()) {}

  const std::span<stem_media_limits> entries_;  // the kernel's memory
  std::vector<uint32_t> users_;                 // of each entry
  absl::flat_hash_map<Words, uint32_t> in_use_;
  std::deque<uint32_t> unused_;  // that for longest first
};

}  // namespace stem
