// SPDX-License-Identifier: Apache-2.0
// From where an answer is looked at: the screen it goes to, and the time it is.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "ctl/screen.h"

namespace stem::ctl {

struct Viewpoint {
  Screen screen;
  int64_t now_unix_ms = 0;
  absl::TimeZone zone;  // in which clock times are shown
};

}  // namespace stem::ctl
