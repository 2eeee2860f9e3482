// SPDX-License-Identifier: Apache-2.0
// The dynamic block list: sources, or streams from a source to one destination, that the data plane
// refuses for a time.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bpf/stem_abi.h"
#include "common/address.h"

namespace stem {

struct BlockKey {
  IpAddress source;
  IpAddress destination;  // IpAddress(), all zero: every destination
};

struct Block {
  uint32_t scope = STEM_BLOCK_ALL;  // stem_block_scope, or-ed
  uint64_t until_ns = 0;            // CLOCK_MONOTONIC; 0: until it is taken off
  uint64_t packets = 0;             // dropped
};

// One writer at a time.
class BlockTable {
 public:
  // Neither is owned.
  BlockTable(int blocks_fd, int count_fd) : blocks_fd_(blocks_fd), count_fd_(count_fd) {}

  // Adds a block, or changes scope and expiry of one that is there, keeping its counter.
  // RESOURCE_EXHAUSTED when the table is full.
  absl::Status Add(const BlockKey& key, const Block& block);

  // False when there was none.
  absl::StatusOr<bool> Remove(const BlockKey& key);

  // In no order; expired ones included until they are swept.
  absl::StatusOr<std::vector<std::pair<BlockKey, Block>>> List() const;

  // Takes off what has expired; returns how many are left.
  absl::StatusOr<size_t> Sweep(uint64_t now_ns);

 private:
  // What makes the data plane look at the list at all.
  absl::Status Publish(uint64_t count);
  absl::StatusOr<uint64_t> Count() const;

  int blocks_fd_;
  int count_fd_;
};

}  // namespace stem
