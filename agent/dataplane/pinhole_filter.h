// SPDX-License-Identifier: Apache-2.0
// Which addresses and ports may have a pinhole: map `pinhole_filter`, a bit for each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "bpf/stem_abi.h"

namespace stem {

// The one writer of the map. Only one thread may use it.
class PinholeFilter {
 public:
  // Words of 64 bits for a table of so many pinholes: a power of two.
  static uint32_t WordsFor(uint32_t max_pinholes);
  // What the pipeline shifts a hash by to have the number of its bit.
  static uint32_t ShiftFor(uint32_t words);

  // Makes the bits of the map `filter_fd` those of the open pinholes of `pinholes_fd`. The bit of
  // an open pinhole is not cleared in between.
  static absl::StatusOr<std::unique_ptr<PinholeFilter>> Open(int filter_fd, int pinholes_fd);
  ~PinholeFilter();
  PinholeFilter(const PinholeFilter&) = delete;
  PinholeFilter& operator=(const PinholeFilter&) = delete;

  // Before a pinhole is opened, once for each time.
  void Add(const stem_pinhole_key& key);
  // After it is closed.
  void Remove(const stem_pinhole_key& key);

 private:
  PinholeFilter(uint64_t* words, size_t bits);
  size_t BitOf(const stem_pinhole_key& key) const;

  uint64_t* const words_;  // the kernel's memory
  const uint32_t shift_;
  // Pinholes of each bit. One that ever had 255 stays set until the next agent.
  std::vector<uint8_t> open_;
};

}  // namespace stem
