// SPDX-License-Identifier: Apache-2.0
// Reads a fuzzer's input as the arguments of steps; behind its end there are zeros.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace stem {

class InputReader {
 public:
  explicit InputReader(std::span<const uint8_t> input) : left_(input) {}

  bool empty() const { return left_.empty(); }
  uint8_t Byte() {
    if (left_.empty()) return 0;
    const uint8_t byte = left_.front();
    left_ = left_.subspan(1);
    return byte;
  }
  uint16_t Word() {
    const uint8_t high = Byte();
    return static_cast<uint16_t>(high << 8 | Byte());
  }
  // `size` bytes, or as many as there are.
  std::span<const uint8_t> Bytes(size_t size) {
    const std::span<const uint8_t> bytes = left_.first(std::min(size, left_.size()));
    left_ = left_.subspan(bytes.size());
    return bytes;
  }

 private:
  std::span<const uint8_t> left_;
};

}  // namespace stem
