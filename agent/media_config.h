// SPDX-License-Identifier: Apache-2.0
// The configuration's section `media`.
#pragma once

#include "agent/protocol_parser/call_limits.h"
#include "common/config/document.h"

namespace stem {

void ReadMedia(const ConfigSection& section, CallMonitorConfig& config);

}  // namespace stem
