// SPDX-License-Identifier: Apache-2.0
#include "tests/user_space/helpers.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "tests/user_space/running_machine.h"

namespace stem {

// A driver leaves so much room behind a frame, at least.
constexpr size_t kLargestFrame = 3520;
constexpr uint64_t kTickNs = 4'000'000;  // CONFIG_HZ=250, as Debian's kernels

// What only the helpers may touch of a machine.
class Helpers {
 public:
  static Fate& fate() { return *running_machine->fate_; }
  static FrameMemory& frame() { return *running_machine->frame_; }
  static std::unique_ptr<uint8_t[]>& reserved() { return running_machine->reserved_; }
};

namespace {

UserSpaceMap& MapOf(const void* declaration) {
  UserSpaceMap* map = nullptr;
  std::memcpy(&map, declaration, sizeof(static_cast<void*>(map)));
  return *map;
}

uint32_t Sum(const uint32_t* words, uint32_t bytes, uint32_t flip, uint64_t sum) {
  for (uint32_t i = 0; i < bytes / sizeof(*words); ++i) sum += words[i] ^ flip;
  while (sum >> 32) sum = (sum & 0xffffffff) + (sum >> 32);
  return static_cast<uint32_t>(sum);
}

}  // namespace
}  // namespace stem

using stem::Helpers;
using stem::MapOf;
using stem::running_machine;

void* user_space_lookup(void* map, const void* key) {
  ++running_machine->lookups;
  return MapOf(map).Lookup(key);
}

long user_space_update(void* map, const void* key, const void* value, __u64 flags) {
  return MapOf(map).Update(key, value, flags);
}

void* user_space_reserve(void* map, __u64 size, __u64 flags) {
  (void)map;
  (void)flags;
  if (size != sizeof(stem_event) || Helpers::reserved() != nullptr) std::abort();
  Helpers::reserved().reset(new uint8_t[size]);
  return Helpers::reserved().get();
}

void user_space_submit(void* data, __u64 flags) {
  (void)flags;
  if (data != Helpers::reserved().get()) std::abort();
  stem_event event;
  std::memcpy(&event, data, sizeof(event));
  Helpers::fate().events.push_back(event);
  Helpers::reserved().reset();
}

__u64 user_space_time(void) { return running_machine->now_ns; }
__u64 user_space_coarse_time(void) { return running_machine->now_ns; }
__u64 user_space_ticks(void) { return running_machine->now_ns / stem::kTickNs; }

long user_space_redirect(__u32 ifindex, __u64 flags) {
  if (flags != 0) return XDP_ABORTED;
  Helpers::fate().redirected_to = ifindex;
  return XDP_REDIRECT;
}

long user_space_redirect_map(void* map, __u64 key, __u64 flags) {
  const auto index = static_cast<uint32_t>(key);
  if (MapOf(map).Lookup(&index) == nullptr) return static_cast<long>(flags & 3);
  Helpers::fate().socket = key;
  return XDP_REDIRECT;
}

long user_space_adjust_tail(user_space_context* context, int delta) {
  stem::FrameMemory& frame = Helpers::frame();
  const long size = static_cast<long>(frame.size()) + delta;
  if (size < ETH_HLEN || size > static_cast<long>(stem::kLargestFrame)) return -EINVAL;
  frame.Resize(static_cast<size_t>(size));
  context->data = reinterpret_cast<uintptr_t>(frame.data());
  context->data_end = context->data + frame.size();
  return 0;
}

long user_space_fib_lookup(void* context, bpf_fib_lookup* route, int size, __u32 flags) {
  (void)context;
  if (size != sizeof(*route) || flags != 0) return -EINVAL;
  if (!running_machine->route) return BPF_FIB_LKUP_RET_NOT_FWDED;
  return running_machine->route(*route);
}

__s64 user_space_csum_diff(const __u32* from, __u32 from_size, const __u32* to, __u32 to_size,
                           __u32 seed) {
  if ((from_size | to_size) % 4 != 0) return -EINVAL;
  return stem::Sum(to, to_size, 0, stem::Sum(from, from_size, 0xffffffff, seed));
}

long user_space_loop(__u32 steps, user_space_step step, void* context, __u64 flags) {
  if (flags != 0) return -EINVAL;
  for (__u32 i = 0; i < steps; ++i) {
    ++running_machine->loop_steps;
    if (step(i, context) != 0) return i + 1;
  }
  return steps;
}
