// SPDX-License-Identifier: Apache-2.0
// Static rules of the configuration, as the data plane's map `rules` wants them.
#pragma once

#include <vector>

#include "bpf/stem_abi.h"
#include "common/address.h"
#include "common/config/document.h"

namespace stem {

// Reads the list `rules` of the configuration; what is wrong is reported at its place. A rule
// without prefixes matches both address families.
std::vector<stem_rule> ReadStaticRules(const ConfigSection& root);

// Lets the security manager's answers in: TCP from its address and port, arriving inside.
stem_rule AllowSecurityManager(const Endpoint& address);

}  // namespace stem
