// SPDX-License-Identifier: Apache-2.0
// Live verdicts, one line each.
#pragma once

#include <string>

#include "ctl/viewpoint.h"
#include "stem/v1/control.pb.h"

namespace stem::ctl {

// "07:20:01.123456  outside  forwarded     INVITE sip:bob@…  why  call 3f2a": before it a line that
// says how many events were lost, where some were. Each line ends in a newline.
std::string RenderEvent(const v1::Event& event, const Viewpoint& view);

}  // namespace stem::ctl
