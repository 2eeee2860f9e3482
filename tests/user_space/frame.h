// SPDX-License-Identifier: Apache-2.0
// The memory a frame lies in: it ends where the frame ends, so that AddressSanitizer sees every
// byte read or written beyond.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace stem {

class FrameMemory {
 public:
  explicit FrameMemory(std::span<const uint8_t> frame);
  ~FrameMemory();
  FrameMemory(const FrameMemory&) = delete;
  FrameMemory& operator=(const FrameMemory&) = delete;

  // Moves the frame to memory of the new size; what is added is zero. Pointers into the old memory
  // are no good any more.
  void Resize(size_t size);

  uint8_t* data() const { return memory_.get() + kFront; }
  size_t size() const { return size_; }
  std::vector<uint8_t> Copy() const { return {data(), data() + size_}; }

 private:
  // As drivers place it (NET_IP_ALIGN): the IP header, and with it every header behind, is aligned
  // to 4 bytes, which UBSan checks. The 8 bytes in front are poisoned.
  static constexpr size_t kFront = 8 + 2;

  static std::unique_ptr<uint8_t[]> Allocate(size_t size);

  std::unique_ptr<uint8_t[]> memory_;
  size_t size_;
};

}  // namespace stem
