// SPDX-License-Identifier: Apache-2.0
// One CPU for the calling thread.
#pragma once

#include "absl/status/status.h"

namespace stem {

// The thread runs on this CPU alone, before everything else there. Frames sent by a thread are
// handled on its CPU up to the sink: a veth's NAPI runs where it was scheduled.
absl::Status TakeCpu(int cpu);

// The one the bench measures on: the last.
int BenchCpu();

}  // namespace stem
