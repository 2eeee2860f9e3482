// SPDX-License-Identifier: Apache-2.0
// Routes as in the namespace of the bpf tests (tests/bpf/kernel_bench.h).
#pragma once

#include <cstdint>
#include <functional>

struct bpf_fib_lookup;

namespace stem {

struct BenchInterfaces {
  uint32_t outside = 0;
  uint32_t inside = 0;
};

// For Machine::route: both networks, with one neighbour each that is known, MTU 1500.
std::function<long(bpf_fib_lookup&)> BenchRoutes(BenchInterfaces interfaces);

}  // namespace stem
