// SPDX-License-Identifier: Apache-2.0
// Modules, blocks and simulated packets for people.
#pragma once

#include <string>

#include "ctl/viewpoint.h"
#include "stem/v1/dataplane.pb.h"

namespace stem::ctl {

// How the mode of a module is shown: "on", "observe", "off".
Paint PaintOfMode(const std::string& mode);

// With a line below that says what another start would change, where it would.
std::string RenderModules(const v1::ListModulesResponse& modules, const Viewpoint& view);

// "nothing is blocked" for an empty list.
std::string RenderBlocks(const v1::ListBlocksResponse& blocks, const Viewpoint& view);

// One line for each packet; more than one are also summed up by reason.
std::string RenderSimulations(const v1::SimulateResponse& simulations, const Viewpoint& view);

// One line for each check, and below it the command that mends what is not as it should be.
std::string RenderFindings(const v1::Findings& findings, const Viewpoint& view);

}  // namespace stem::ctl
