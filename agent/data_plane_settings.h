// SPDX-License-Identifier: Apache-2.0
// The part of the configuration file that says how the kernel programs behave: modules, guards,
// fragments and the sizes of their tables.
#pragma once

#include "agent/dataplane/data_plane_config.h"
#include "common/config/document.h"

namespace stem {

// Reads `modules`, `syn_guard`, `invite_guard`, `fragments`, `media.ssrc_relatch` and the kernel's
// part of `limits`; what is wrong is reported at its place.
void ReadDataPlaneSettings(const ConfigSection& root, DataPlaneConfig& config);

}  // namespace stem
