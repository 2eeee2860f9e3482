// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/media_limit_table.h"

#include <bit>

#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {

absl::StatusOr<MediaLimitTable> MediaLimitTable::Open(int limits_fd,
                                                      std::span<const uint32_t> in_use) {
  ASSIGN_OR_RETURN(auto map, MappedArray<stem_media_limits>::Open(limits_fd, "media_limits"));
  MediaLimitTable table(std::move(map));
  for (const uint32_t index : in_use) {
    if (index >= table.users_.size()) {
      return absl::FailedPreconditionError(fmt::format(
          "a pinhole uses entry {} of media_limits, which has {}: another program wrote into the "
          "maps; `stem-agent --config FILE --remove` before starting ends the calls",
          index, table.users_.size()));
    }
    ++table.users_[index];
  }
  for (uint32_t i = 0; i < table.users_.size(); ++i) {
    if (table.users_[i] == 0) {
      table.unused_.push_back(i);
    } else {
      table.in_use_[std::bit_cast<Words>(table.At(i))] = i;
    }
  }
  return table;
}

uint32_t MediaLimitTable::Use(const stem_media_limits& limits) {
  const auto [found, is_new] = in_use_.try_emplace(std::bit_cast<Words>(limits));
  if (is_new) {
    found->second = unused_.front();
    unused_.pop_front();
    map_.entries()[found->second] = limits;
  }
  ++users_[found->second];
  return found->second;
}

void MediaLimitTable::Release(uint32_t index) {
  if (--users_[index] > 0) return;
  in_use_.erase(std::bit_cast<Words>(At(index)));
  unused_.push_back(index);
}

}  // namespace stem
