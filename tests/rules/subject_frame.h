// SPDX-License-Identifier: Apache-2.0
// The packet a rule's subject stands for, as an Ethernet frame.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/pattern_matcher/rule.h"

namespace stem {

// Headers only, checksums left out. Without `transport` the frame ends with the IP header's
// protocol number and eight bytes that are no header of it.
std::vector<uint8_t> ToFrame(const RuleSubject& subject);

}  // namespace stem
