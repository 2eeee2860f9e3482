// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/media_limit_table.h"

#include <bpf/bpf.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/map_walk.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

// So many others are written before an entry that a packet may still read is.
constexpr uint32_t kAtRest = 64;

}  // namespace

uint32_t MediaLimitTable::EntriesFor(uint32_t max_pinholes) { return max_pinholes + 1 + kAtRest; }

absl::StatusOr<std::unique_ptr<MediaLimitTable>> MediaLimitTable::Open(int limits_fd,
                                                                       int pinholes_fd) {
  bpf_map_info info{};
  uint32_t length = sizeof(info);
  if (bpf_obj_get_info_by_fd(limits_fd, &info, &length) != 0) {
    return ErrnoStatus(errno, "describing map media_limits");
  }
  void* memory = mmap(nullptr, size_t{info.max_entries} * sizeof(stem_media_limits),
                      PROT_READ | PROT_WRITE, MAP_SHARED, limits_fd, 0);
  if (memory == MAP_FAILED) return ErrnoStatus(errno, "mapping media_limits into memory");
  std::unique_ptr<MediaLimitTable> table(
      new MediaLimitTable({static_cast<stem_media_limits*>(memory), info.max_entries}));
  uint32_t highest = 0;
  RETURN_IF_ERROR((WalkMap<stem_pinhole_key, stem_pinhole>(
      pinholes_fd, "pinholes", [&](const stem_pinhole_key&, const stem_pinhole& pinhole) {
        highest = std::max(highest, pinhole.limits);
        if (pinhole.limits < table->users_.size()) ++table->users_[pinhole.limits];
      })));
  if (highest >= info.max_entries) {
    return absl::FailedPreconditionError(fmt::format(
        "a pinhole uses entry {} of media_limits, which has {}: another program wrote into the "
        "maps; `stem-agent --config FILE --remove` before starting ends the calls",
        highest, info.max_entries));
  }
  for (uint32_t i = 0; i < info.max_entries; ++i) {
    if (table->users_[i] == 0) {
      table->unused_.push_back(i);
    } else {
      table->in_use_[std::bit_cast<Words>(table->entries_[i])] = i;
    }
  }
  return table;
}

MediaLimitTable::~MediaLimitTable() { munmap(entries_.data(), entries_.size_bytes()); }

uint32_t MediaLimitTable::Use(const stem_media_limits& limits) {
  const auto [found, is_new] = in_use_.try_emplace(std::bit_cast<Words>(limits));
  if (is_new) {
    found->second = unused_.front();
    unused_.pop_front();
    entries_[found->second] = limits;
  }
  ++users_[found->second];
  return found->second;
}

void MediaLimitTable::Release(uint32_t index) {
  if (--users_[index] > 0) return;
  in_use_.erase(std::bit_cast<Words>(entries_[index]));
  unused_.push_back(index);
}

}  // namespace stem
