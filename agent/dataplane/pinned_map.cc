// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/pinned_map.h"

#include <bpf/bpf.h>

#include <cerrno>

#include "agent/dataplane/errno_status.h"
#include "fmt/format.h"

namespace stem {

absl::StatusOr<UniqueFd> OpenPinnedMap(const std::string& directory, const char* name) {
  const std::string path = fmt::format("{}/{}", directory, name);
  UniqueFd fd(bpf_obj_get(path.c_str()));
  if (!fd.valid()) return ErrnoStatus(errno, fmt::format("opening pinned map {}", path));
  return fd;
}

}  // namespace stem
