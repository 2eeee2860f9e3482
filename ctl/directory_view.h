// SPDX-License-Identifier: Apache-2.0
// The security manager's users and spam entries for people.
#pragma once

#include <string>

#include "ctl/viewpoint.h"
#include "stem/v1/admin.pb.h"

namespace stem::ctl {

// "accept", "forward", "refuse", "drop".
std::string_view IncomingText(v1::IncomingCalls incoming);

// One line per user, or "no users".
std::string RenderUsers(const v1::ListUsersResponse& users, const Viewpoint& view);

std::string RenderUser(const v1::User& user, const Viewpoint& view);

// One line per entry, or "no spam entries".
std::string RenderSpam(const v1::ListSpamResponse& entries, const Viewpoint& view);

}  // namespace stem::ctl
