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

absl::Status BlockTable::Add(stem_block_origin origin, const BlockKey& key, const Block& block) {
  const stem_block_key kernel_key = ToKernel(key);
  stem_block value{};
  const bool known = bpf_map_lookup_elem(blocks_fd_, &kernel_key, &value) == 0;
  if (!known && errno != ENOENT) return ErrnoStatus(errno, "reading map blocks");
  value.by[origin].scope = block.scope;
  value.by[origin].until_ns = block.until_ns;
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

absl::StatusOr<bool> BlockTable::Remove(stem_block_origin origin, const BlockKey& key) {
  const stem_block_key kernel_key = ToKernel(key);
  const std::string doing = fmt::format("unblocking {}", key.source.ToString());
  stem_block value{};
  if (bpf_map_lookup_elem(blocks_fd_, &kernel_key, &value) != 0) {
    if (errno == ENOENT) return false;
    return ErrnoStatus(errno, doing);
  }
  if (value.by[origin].scope == 0) return false;
  value.by[origin] = {};
  if (std::any_of(std::begin(value.by), std::end(value.by),
                  [](const stem_block_order& order) { return order.scope != 0; })) {
    if (bpf_map_update_elem(blocks_fd_, &kernel_key, &value, BPF_EXIST) != 0) {
      return ErrnoStatus(errno, doing);
    }
    return true;
  }
  if (bpf_map_delete_elem(blocks_fd_, &kernel_key) != 0) return ErrnoStatus(errno, doing);
  ASSIGN_OR_RETURN(const uint64_t count, Count());
  RETURN_IF_ERROR(Publish(count > 0 ? count - 1 : 0));
  return true;
}

absl::StatusOr<std::vector<BlockEntry>> BlockTable::List() const {
  std::vector<BlockEntry> out;
  RETURN_IF_ERROR((WalkMap<stem_block_key, stem_block>(
      blocks_fd_, "blocks", [&](const stem_block_key& key, const stem_block& value) {
        for (const stem_block_origin origin : {STEM_BLOCK_BY_OPERATOR, STEM_BLOCK_BY_SM}) {
          const stem_block_order& order = value.by[origin];
          if (order.scope == 0) continue;
          out.push_back({{IpAddress::FromV6(key.source), IpAddress::FromV6(key.destination)},
                         origin,
                         {order.scope, order.until_ns, order.packets}});
        }
      })));
  return out;
}

absl::Status BlockTable::Sweep(uint64_t now_ns) {
  ASSIGN_OR_RETURN(const auto blocks, List());
  for (const BlockEntry& entry : blocks) {
    if (entry.block.until_ns == 0 || entry.block.until_ns > now_ns) continue;
    RETURN_IF_ERROR(Remove(entry.origin, entry.key).status());
  }
  // Mends the count, should an agent have died between two of its steps.
  uint64_t left = 0;
  RETURN_IF_ERROR((WalkMap<stem_block_key, stem_block>(
      blocks_fd_, "blocks", [&](const stem_block_key&, const stem_block&) { ++left; })));
  return Publish(left);
}

}  // namespace stem
