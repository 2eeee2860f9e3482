// SPDX-License-Identifier: Apache-2.0
// How the helpers, which are C functions without an object, find the machine they serve.
#pragma once

#include "tests/user_space/machine.h"

namespace stem {

extern Machine* running_machine;

}  // namespace stem
