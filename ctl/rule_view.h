// SPDX-License-Identifier: Apache-2.0
// Static rules for people.
#pragma once

#include <string>

#include "ctl/viewpoint.h"
#include "stem/v1/control.pb.h"

namespace stem::ctl {

// One line per rule, in the order they are tried.
std::string RenderRules(const v1::ListRulesResponse& rules, const Viewpoint& view);

// "12 rules in force", after a line for each that never decides.
std::string RenderReload(const v1::ReloadRulesResponse& done, const Viewpoint& view);

}  // namespace stem::ctl
