// SPDX-License-Identifier: Apache-2.0
// Calls and pinholes for people.
#pragma once

#include <string>

#include "ctl/viewpoint.h"
#include "stem/v1/control.pb.h"

namespace stem::ctl {

// One line per call, or "no calls".
std::string RenderCalls(const v1::ListCallsResponse& calls, const Viewpoint& view);

// Who, when and why; the ladder; the pinholes.
std::string RenderCall(const v1::Call& call, const Viewpoint& view);

// One line per pinhole, sorted by call and destination, or "no pinholes".
std::string RenderPinholes(const google::protobuf::RepeatedPtrField<v1::Pinhole>& pinholes,
                           const Viewpoint& view);

}  // namespace stem::ctl
