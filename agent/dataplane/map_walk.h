// SPDX-License-Identifier: Apache-2.0
// Reading every entry of a hash map.
#pragma once

#include <bpf/bpf.h>

#include <cerrno>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "agent/dataplane/errno_status.h"
#include "fmt/format.h"

namespace stem {

// Calls `visit(key, value)` for each entry, in batches of the kernel's choice: a few system calls
// for thousands of entries. Entries that come or go meanwhile may or may not be seen.
template <typename Key, typename Value, typename Visitor>
absl::Status WalkMap(int map_fd, const char* name, Visitor visit) {
  // The kernel wants room for at least one whole hash bucket.
  uint32_t room = 256;
  std::vector<Key> keys(room);
  std::vector<Value> values(room);
  uint32_t position = 0;
  bool first = true;
  for (;;) {
    uint32_t count = room;
    const int result = bpf_map_lookup_batch(map_fd, first ? nullptr : &position, &position,
                                            keys.data(), values.data(), &count, nullptr);
    const int error = result == 0 ? 0 : errno;
    if (error == ENOSPC) {
      room *= 2;
      keys.resize(room);
      values.resize(room);
      continue;
    }
    if (error != 0 && error != ENOENT) {
      return ErrnoStatus(error, fmt::format("reading map {}", name));
    }
    for (uint32_t i = 0; i < count; ++i) visit(keys[i], values[i]);
    if (error == ENOENT) return absl::OkStatus();
    first = false;
  }
}

}  // namespace stem
