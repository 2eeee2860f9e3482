// SPDX-License-Identifier: Apache-2.0
// The security manager's instructions, and what a firewall has in force of them, for people.
#pragma once

#include <string>

#include "ctl/viewpoint.h"
#include "stem/v1/admin.pb.h"
#include "stem/v1/dataplane.pb.h"

namespace stem::ctl {

// One line per instruction, or "no instructions".
std::string RenderInstructions(const v1::ListInstructionsResponse& instructions,
                               const Viewpoint& view);

// One line per limit of the guards; below them what is still being loaded.
std::string RenderThresholds(const v1::ListThresholdsResponse& thresholds, const Viewpoint& view);

// One line per permit, or "nothing is permitted"; below them whether permits are asked for at all.
std::string RenderPermits(const v1::ListPermitsResponse& permits, const Viewpoint& view);

// "security manager #7", or "security manager" while the instruction is not known.
std::string InstructedBy(int64_t instruction);

}  // namespace stem::ctl
