// SPDX-License-Identifier: Apache-2.0
// An array map of the kernel as memory of this process: what is written is there for the next
// packet, without a system call.
#pragma once

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <utility>

#include "absl/status/statusor.h"
#include "agent/dataplane/errno_status.h"
#include "fmt/format.h"

namespace stem {

// T is the map's value, of a multiple of 8 bytes.
template <typename T>
class MappedArray {
  static_assert(sizeof(T) % 8 == 0);

 public:
  // `fd` may be closed afterwards. `name` is for errors.
  static absl::StatusOr<MappedArray> Open(int fd, const char* name) {
    bpf_map_info info{};
    uint32_t length = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd, &info, &length) != 0) {
      return ErrnoStatus(errno, fmt::format("describing map {}", name));
    }
    void* memory = mmap(nullptr, size_t{info.max_entries} * sizeof(T), PROT_READ | PROT_WRITE,
                        MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
      return ErrnoStatus(errno, fmt::format("mapping {} into memory", name));
    }
    return MappedArray({static_cast<T*>(memory), info.max_entries});
  }

  MappedArray(MappedArray&& other) noexcept : entries_(std::exchange(other.entries_, {})) {}
  MappedArray& operator=(MappedArray&& other) noexcept {
    std::swap(entries_, other.entries_);
    return *this;
  }
  ~MappedArray() {
    if (!entries_.empty()) munmap(entries_.data(), entries_.size_bytes());
  }

  std::span<T> entries() const { return entries_; }

 private:
  explicit MappedArray(std::span<T> entries) : entries_(entries) {}

  std::span<T> entries_;
};

}  // namespace stem
