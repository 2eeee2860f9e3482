// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string_view>

#include "common/config/document.h"

namespace stem {

// Reads a duration into a target of milliseconds.
inline void ReadMilliseconds(const ConfigSection& section, std::string_view key,
                             std::chrono::milliseconds& target, const Duration& kind) {
  std::chrono::nanoseconds fine = target;
  section.Optional(key, fine, kind);
  target = std::chrono::duration_cast<std::chrono::milliseconds>(fine);
}

}  // namespace stem
