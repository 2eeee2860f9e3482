// SPDX-License-Identifier: Apache-2.0
// Which sources of SIP the kernel's INVITE guard is refusing now.
#pragma once

#include <cstdint>

#include "common/address.h"

namespace stem {

// Whether `source` is in its penalty time, by map `sip_sources`; false when it cannot be read.
bool IsInPenalty(int sip_sources_fd, const IpAddress& source, uint64_t now_ns);

}  // namespace stem
