// SPDX-License-Identifier: Apache-2.0
// How many RX queues an interface has: one AF_XDP socket is bound to each.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace stem {

// RX plus combined channels in use (ETHTOOL_GCHANNELS); 1 where the driver does not say.
absl::StatusOr<uint32_t> RxQueueCount(const std::string& interface);

}  // namespace stem
