// SPDX-License-Identifier: Apache-2.0
// What `stemctl pki init` has made, and which file goes where.
#pragma once

#include <string>

#include "ctl/pki/pki.h"
#include "ctl/screen.h"

namespace stem::ctl {

// A tree of the plan's directory: the authority, then one folder per peer of the plan with what
// became of it and to which process it goes.
std::string RenderPki(const PkiPlan& plan, const PkiReport& report, const Screen& screen);

// {"directory": ..., "made_ca": ..., "made": [...], "renewed": [...], "kept": [...]}, with the
// paths of the folders.
std::string PkiJson(const PkiPlan& plan, const PkiReport& report);

}  // namespace stem::ctl
