// SPDX-License-Identifier: Apache-2.0
// The state of the agent and of the security manager on one screen.
#pragma once

#include <string>
#include <vector>

#include "ctl/viewpoint.h"
#include "stem/v1/admin.pb.h"
#include "stem/v1/control.pb.h"

namespace stem::ctl {

// What an operator should know first, most urgent first; empty when all is well.
std::vector<std::string> Concerns(const v1::AgentStatus& status);

std::string RenderAgentStatus(const v1::AgentStatus& status, const Viewpoint& view);
std::string RenderSmStatus(const v1::SmStatus& status, const Viewpoint& view);

}  // namespace stem::ctl
