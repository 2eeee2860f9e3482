// SPDX-License-Identifier: Apache-2.0
// The preflight: what is wrong with a host, and the command that mends it.
#pragma once

#include "ctl/doctor/facts.h"
#include "stem/v1/dataplane.pb.h"

namespace stem::ctl {

// Each check's finding, good ones too: first the host's, then those of each interface.
v1::Findings Examine(const HostFacts& facts);

}  // namespace stem::ctl
