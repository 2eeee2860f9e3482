// SPDX-License-Identifier: Apache-2.0
// The dynamic block list: sources, or streams from a source to one destination, that the data plane
// refuses for a time.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bpf/stem_abi.h"
#include "common/address.h"

namespace stem {

struct BlockKey {
  IpAddress source;
  IpAddress destination;  // IpAddress(), all zero: every destination

  auto operator<=>(const BlockKey&) const = default;
};

struct Block {
  uint32_t scope = STEM_BLOCK_ALL;  // stem_block_scope, or-ed
  uint64_t until_ns = 0;            // CLOCK_MONOTONIC; 0: until it is taken off
  uint64_t packets = 0;             // dropped
};

struct BlockEntry {
  BlockKey key;
  stem_block_origin origin = STEM_BLOCK_BY_OPERATOR;
  Block block;
};

// One writer at a time.
class BlockTable {
 public:
  // Neither is owned.
  BlockTable(int blocks_fd, int count_fd) : blocks_fd_(blocks_fd), count_fd_(count_fd) {}

  // Adds a block, or changes scope and expiry of the one `origin` has there, keeping its counter.
  // RESOURCE_EXHAUSTED when the table is full; the two origins' blocks of one key take one place.
  absl::Status Add(stem_block_origin origin, const BlockKey& key, const Block& block);

  // Takes off what `origin` has ordered; false when that was nothing.
  absl::StatusOr<bool> Remove(stem_block_origin origin, const BlockKey& key);

  // In no order; expired ones included until they are swept.
  absl::StatusOr<std::vector<BlockEntry>> List() const;

  // Takes off what has expired.
  absl::Status Sweep(uint64_t now_ns);

 private:
  // What makes the data plane look at the list at all.
  absl::Status Publish(uint64_t count);
  absl::StatusOr<uint64_t> Count() const;

  int blocks_fd_;
  int count_fd_;
};

}  // namespace stem
