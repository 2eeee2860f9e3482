// SPDX-License-Identifier: Apache-2.0
#include "tests/user_space/frame.h"

#include <sanitizer/asan_interface.h>

#include <algorithm>

namespace stem {

std::unique_ptr<uint8_t[]> FrameMemory::Allocate(size_t size) {
  std::unique_ptr<uint8_t[]> memory(new uint8_t[kFront + size]());
  ASAN_POISON_MEMORY_REGION(memory.get(), 8);
  return memory;
}

FrameMemory::FrameMemory(std::span<const uint8_t> frame)
    : memory_(Allocate(frame.size())), size_(frame.size()) {
  std::copy(frame.begin(), frame.end(), data());
}

FrameMemory::~FrameMemory() { ASAN_UNPOISON_MEMORY_REGION(memory_.get(), 8); }

void FrameMemory::Resize(size_t size) {
  std::unique_ptr<uint8_t[]> other = Allocate(size);
  std::copy_n(data(), std::min(size, size_), other.get() + kFront);
  ASAN_UNPOISON_MEMORY_REGION(memory_.get(), 8);
  memory_ = std::move(other);
  size_ = size;
}

}  // namespace stem
