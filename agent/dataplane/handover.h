// SPDX-License-Identifier: Apache-2.0
// Why the pipeline handed a frame to the agent (bpf/handover.h).
#pragma once

#include <cstdint>
#include <span>

#include "bpf/stem_abi.h"

namespace stem {

// The reason in an Ethernet frame from an AF_XDP socket. sip_to_agent for one without: it is of a
// pipeline from before frames had one, which a newer agent meets until it has loaded its own.
stem_reason HandedOverFor(std::span<const uint8_t> frame);

}  // namespace stem
