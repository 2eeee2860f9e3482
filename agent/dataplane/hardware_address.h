// SPDX-License-Identifier: Apache-2.0
// The MAC address of an interface.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace stem {

using MacAddress = std::array<uint8_t, 6>;

absl::StatusOr<MacAddress> HardwareAddress(const std::string& interface);

}  // namespace stem
