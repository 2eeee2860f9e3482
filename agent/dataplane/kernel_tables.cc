// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/kernel_tables.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <span>

#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/kernel_pinhole_table.h"
#include "agent/dataplane/pinned_map.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr const char* kTables[] = {"pinholes",    "blocks",  "syn_sources", "verified_sources",
                                   "sip_sources", "permits", "fragments"};
constexpr size_t kPinholes = 0;
// Arrays that belong to it: their memory is told with the table's.
constexpr const char* kBesidePinholes[] = {"pinhole_index", "pinhole_details", "media_limits"};

uint64_t CountPinholes(std::span<const stem_pinhole_bucket> elements) {
  uint64_t open = 0;
  for (const stem_pinhole_bucket& bucket : elements.first(elements.size() - 1)) {
    open += std::size(bucket.slot) -
            static_cast<size_t>(std::count(std::begin(bucket.slot), std::end(bucket.slot), 0));
  }
  return open;
}

absl::StatusOr<bpf_map_info> Describe(int fd, const char* name) {
  bpf_map_info info{};
  uint32_t length = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &length) == 0) return info;
  return ErrnoStatus(errno, fmt::format("describing map {}", name));
}

// The kernel tells it to whoever holds the map open, in bytes; 0 where it does not.
uint64_t MemoryKib(int fd) {
  std::ifstream facts(fmt::format("/proc/self/fdinfo/{}", fd));
  std::string key;
  while (facts >> key) {
    uint64_t bytes = 0;
    if (key == "memlock:" && facts >> bytes) return (bytes + 1023) / 1024;
  }
  return 0;
}

absl::StatusOr<uint64_t> CountEntries(int fd, const bpf_map_info& info) {
  // The kernel wants room for at least one whole hash bucket.
  uint32_t room = 1024;
  std::vector<uint8_t> keys;
  std::vector<uint8_t> values;
  uint32_t position = 0;
  uint64_t entries = 0;
  for (bool first = true;;) {
    keys.resize(size_t{room} * info.key_size);
    values.resize(size_t{room} * info.value_size);
    uint32_t count = room;
    const int result = bpf_map_lookup_batch(fd, first ? nullptr : &position, &position, keys.data(),
                                            values.data(), &count, nullptr);
    const int error = result == 0 ? 0 : errno;
    if (error == ENOSPC) {
      room *= 2;
      continue;
    }
    if (error != 0 && error != ENOENT) {
      return ErrnoStatus(error, fmt::format("counting map {}", std::string(info.name)));
    }
    entries += count;
    if (error == ENOENT) return entries;
    first = false;
  }
}

}  // namespace

absl::StatusOr<KernelTables> KernelTables::Open(const std::string& pin_directory) {
  KernelTables tables;
  for (const char* name : kTables) {
    ASSIGN_OR_RETURN(UniqueFd fd, OpenPinnedMap(pin_directory, name));
    ASSIGN_OR_RETURN(const bpf_map_info info, Describe(fd.get(), name));
    const bool is_pinholes = tables.maps_.size() == kPinholes;
    tables.uses_.push_back({.name = name,
                            .forgets_oldest = info.type == BPF_MAP_TYPE_LRU_HASH,
                            .limit = is_pinholes
                                         ? KernelPinholeTable::MaxPinholesOf(info.max_entries)
                                         : info.max_entries});
    tables.maps_.push_back(std::move(fd));
  }
  for (const char* name : kBesidePinholes) {
    ASSIGN_OR_RETURN(const UniqueFd fd, OpenPinnedMap(pin_directory, name));
    tables.beside_pinholes_kib_ += MemoryKib(fd.get());
  }
  ASSIGN_OR_RETURN(const UniqueFd index, OpenPinnedMap(pin_directory, "pinhole_index"));
  ASSIGN_OR_RETURN(auto buckets,
                   MappedArray<stem_pinhole_bucket>::Open(index.get(), "pinhole_index"));
  tables.buckets_ = std::make_unique<MappedArray<stem_pinhole_bucket>>(std::move(buckets));
  return tables;
}

absl::Status KernelTables::Measure() {
  for (size_t i = 0; i < maps_.size(); ++i) {
    KernelTableUse& use = uses_[i];
    const int fd = maps_[i].get();
    ASSIGN_OR_RETURN(const bpf_map_info info, Describe(fd, use.name));
    uint64_t entries = 0;
    if (i == kPinholes) {
      entries = CountPinholes(buckets_->entries());
    } else {
      ASSIGN_OR_RETURN(entries, CountEntries(fd, info));
    }
    // Entries that move while they are counted may be seen twice.
    use.used = std::min(entries, use.limit);
    use.high_water = std::max(use.high_water, use.used);
    use.memory_kib = MemoryKib(fd) + (i == kPinholes ? beside_pinholes_kib_ : 0);
  }
  return absl::OkStatus();
}

}  // namespace stem
