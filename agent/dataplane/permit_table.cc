// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/permit_table.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/map_walk.h"
#include "bpf/stem_abi.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

stem_permit_key ToKernel(const PermitKey& key) {
  stem_permit_key out{};
  std::copy(key.source.bytes.begin(), key.source.bytes.end(), out.source);
  const auto& destination = key.destination.address.bytes;
  std::copy(destination.begin(), destination.end(), out.destination);
  out.port = key.destination.port;
  return out;
}

std::string Name(const PermitKey& key) {
  return fmt::format("permit for {} to {}", key.source.ToString(), key.destination.ToString());
}

}  // namespace

absl::Status PermitTable::Add(const PermitKey& key, uint64_t until_ns) {
  const stem_permit_key kernel_key = ToKernel(key);
  stem_permit value{};
  // Uses between this read and the write below are missing from the count.
  if (bpf_map_lookup_elem(permits_fd_, &kernel_key, &value) != 0 && errno != ENOENT) {
    return ErrnoStatus(errno, "reading map permits");
  }
  value.until_ns = until_ns;
  if (bpf_map_update_elem(permits_fd_, &kernel_key, &value, BPF_ANY) == 0) return absl::OkStatus();
  if (errno == E2BIG || errno == ENOMEM) {
    return absl::ResourceExhaustedError(
        fmt::format("no room for a {} (limits.permits)", Name(key)));
  }
  return ErrnoStatus(errno, fmt::format("giving a {}", Name(key)));
}

absl::StatusOr<bool> PermitTable::Remove(const PermitKey& key) {
  const stem_permit_key kernel_key = ToKernel(key);
  if (bpf_map_delete_elem(permits_fd_, &kernel_key) == 0) return true;
  if (errno == ENOENT) return false;
  return ErrnoStatus(errno, fmt::format("taking back the {}", Name(key)));
}

absl::StatusOr<std::vector<std::pair<PermitKey, Permit>>> PermitTable::List() const {
  std::vector<std::pair<PermitKey, Permit>> out;
  RETURN_IF_ERROR((WalkMap<stem_permit_key, stem_permit>(
      permits_fd_, "permits", [&](const stem_permit_key& key, const stem_permit& value) {
        out.push_back(
            {{IpAddress::FromV6(key.source), {IpAddress::FromV6(key.destination), key.port}},
             {value.until_ns, value.used}});
      })));
  return out;
}

}  // namespace stem
