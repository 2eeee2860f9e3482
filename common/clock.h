// SPDX-License-Identifier: Apache-2.0
// The clocks: monotonic for what happens, wall time for what is shown.
#pragma once

#include <time.h>

#include <cstdint>

namespace stem {

inline uint64_t ReadClockNanoseconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

// CLOCK_MONOTONIC: the clock of the kernel programs, of calls and pinholes.
inline uint64_t MonotonicNanoseconds() { return ReadClockNanoseconds(CLOCK_MONOTONIC); }

// Wall-clock nanoseconds since 1970 of a monotonic time, by the offset of this moment. 0 stays 0.
inline int64_t WallNanoseconds(uint64_t monotonic_ns) {
  if (monotonic_ns == 0) return 0;
  const int64_t offset = static_cast<int64_t>(ReadClockNanoseconds(CLOCK_REALTIME)) -
                         static_cast<int64_t>(MonotonicNanoseconds());
  return static_cast<int64_t>(monotonic_ns) + offset;
}

}  // namespace stem
