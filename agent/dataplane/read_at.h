// SPDX-License-Identifier: Apache-2.0
// Headers read out of packets that may end anywhere.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace stem {

// The T at `offset`, wherever it is aligned; nullopt when the bytes end before it does.
template <typename T>
std::optional<T> ReadAt(std::span<const uint8_t> bytes, size_t offset) {
  if (offset + sizeof(T) > bytes.size()) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

}  // namespace stem
