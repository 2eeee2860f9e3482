// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/kernel_call_store.h"

#include <bpf/bpf.h>

#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/map_walk.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {

absl::Status KernelCallStore::Save(uint64_t id, const stem_call& record) {
  if (bpf_map_update_elem(map_fd_, &id, &record, BPF_ANY) == 0) return absl::OkStatus();
  if (errno == E2BIG || errno == ENOMEM) {
    return absl::ResourceExhaustedError(
        fmt::format("no room for the record of call {:016x} (limits.calls)", id));
  }
  return ErrnoStatus(errno, fmt::format("writing the record of call {:016x}", id));
}

absl::Status KernelCallStore::Erase(uint64_t id) {
  if (bpf_map_delete_elem(map_fd_, &id) == 0 || errno == ENOENT) return absl::OkStatus();
  return ErrnoStatus(errno, fmt::format("removing the record of call {:016x}", id));
}

absl::StatusOr<std::vector<std::pair<uint64_t, stem_call>>> KernelCallStore::LoadAll() const {
  std::vector<std::pair<uint64_t, stem_call>> out;
  RETURN_IF_ERROR(
      (WalkMap<uint64_t, stem_call>(map_fd_, "calls", [&](uint64_t id, const stem_call& record) {
        out.emplace_back(id, record);
      })));
  return out;
}

}  // namespace stem
