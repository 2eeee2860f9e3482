// SPDX-License-Identifier: Apache-2.0
// What pinholes allow, each once: map `media_limits`.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "agent/dataplane/mapped_array.h"
#include "bpf/stem_abi.h"

namespace stem {

// The one writer of the map. Only one thread may use it.
class MediaLimitTable {
 public:
  // With these entries in use, each as often as it is named: by the pinholes of an earlier agent.
  // FAILED_PRECONDITION when one of them does not exist.
  static absl::StatusOr<MediaLimitTable> Open(int limits_fd, std::span<const uint32_t> in_use);

  // The entry with these limits, for one user more: before a pinhole with it is opened. There must
  // be fewer users than entries.
  uint32_t Use(const stem_media_limits& limits);
  // When no packet can be on its way through a pinhole with it.
  void Release(uint32_t index);

  const stem_media_limits& At(uint32_t index) const { return map_.entries()[index]; }

 private:
  using Words = std::array<uint64_t, sizeof(stem_media_limits) / sizeof(uint64_t)>;

  explicit MediaLimitTable(MappedArray<stem_media_limits> map)
      : map_(std::move(map)), users_(map_.entries().size()) {}

  MappedArray<stem_media_limits> map_;
  std::vector<uint32_t> users_;  // of each entry
  absl::flat_hash_map<Words, uint32_t> in_use_;
  std::deque<uint32_t> unused_;  // that for longest first
};

}  // namespace stem
