// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/block_table.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>

#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/map_walk.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr uint32_t kElement = 0;

stem_block_key ToKernel(const BlockKey& key) {
  stem_block_key out{};
  std::copy(key.source.bytes.begin(), key.source.bytes.end(), out.source);
  std::copy(key.destination.bytes.begin(), key.destination.bytes.end(), out.destination);
  return out;
}

}  // namespace

absl::StatusOr<uint64_t> BlockTable::Count() const {
  uint64_t count = 0;
  if (bpf_map_lookup_elem(count_fd_, &kElement, &count) != 0) {
    return ErrnoStatus(errno, "reading map block_count");
  }
  return count;
}

absl::Status BlockTable::Publish(uint64_t count) {
  if (bpf_map_update_elem(count_fd_, &kElement, &count, BPF_ANY) != 0) {
    return ErrnoStatus(errno, "writing map block_count");
  }
  return absl::OkStatus();
}

absl::Status BlockTable::Add(const BlockKey& key, const Block& block) {
  const stem_block_key kernel_key = ToKernel(key);
  stem_block value{};
  const bool known = bpf_map_lookup_elem(blocks_fd_, &kernel_key, &value) == 0;
  if (!known && errno != ENOENT) return ErrnoStatus(errno, "reading map blocks");
  value.scope = block.scope;
  value.until_ns = block.until_ns;
  ASSIGN_OR_RETURN(const uint64_t count, Count());
  // Counted first: a list that says it is empty is not looked at.
  if (!known) RETURN_IF_ERROR(Publish(count + 1));
  if (bpf_map_update_elem(blocks_fd_, &kernel_key, &value, BPF_ANY) == 0) return absl::OkStatus();
  const int error = errno;
  if (!known) RETURN_IF_ERROR(Publish(count));
  if (error == E2BIG || error == ENOMEM) {
    return absl::ResourceExhaustedError(
        fmt::format("no room for a block of {} (limits.blocks)", key.source.ToString()));
  }
  return ErrnoStatus(error, fmt::format("blocking {}", key.source.ToString()));
}

absl::StatusOr<bool> BlockTable::Remove(const BlockKey& key) {
  const stem_block_key kernel_key = ToKernel(key);
  if (bpf_map_delete_elem(blocks_fd_, &kernel_key) != 0) {
    if (errno == ENOENT) return false;
    return ErrnoStatus(errno, fmt::format("unblocking {}", key.source.ToString()));
  }
  ASSIGN_OR_RETURN(const uint64_t count, Count());
  RETURN_IF_ERROR(Publish(count > 0 ? count - 1 : 0));
  return true;
}

absl::StatusOr<std::vector<std::pair<BlockKey, Block>>> BlockTable::List() const {
  std::vector<std::pair<BlockKey, Block>> out;
  RETURN_IF_ERROR((WalkMap<stem_block_key, stem_block>(
      blocks_fd_, "blocks", [&](const stem_block_key& key, const stem_block& value) {
        out.push_back({{IpAddress::FromV6(key.source), IpAddress::FromV6(key.destination)},
                       {value.scope, value.until_ns, value.packets}});
      })));
  return out;
}

absl::StatusOr<size_t> BlockTable::Sweep(uint64_t now_ns) {
  ASSIGN_OR_RETURN(const auto blocks, List());
  size_t left = blocks.size();
  for (const auto& [key, block] : blocks) {
    if (block.until_ns == 0 || block.until_ns > now_ns) continue;
    RETURN_IF_ERROR(Remove(key).status());
    --left;
  }
  // Mends the count, should an agent have died between two of its steps.
  RETURN_IF_ERROR(Publish(left));
  return left;
}

}  // namespace stem
