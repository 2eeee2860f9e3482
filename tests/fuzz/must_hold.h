// SPDX-License-Identifier: Apache-2.0
// What a fuzzer holds against every input, beside what the sanitizers do.
#pragma once

#include <cstdio>
#include <cstdlib>

// Says what does not hold, and ends the process, which is how libFuzzer learns of it.
#define MUST_HOLD(condition)                                                               \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      std::fprintf(stderr, "does not hold: %s (%s:%d)\n", #condition, __FILE__, __LINE__); \
      std::abort();                                                                        \
    }                                                                                      \
  } while (false)
