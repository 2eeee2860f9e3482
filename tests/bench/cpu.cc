// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/cpu.h"

#include <sched.h>
#include <unistd.h>

#include <cerrno>

#include "agent/dataplane/errno_status.h"
#include "fmt/format.h"

namespace stem {

absl::Status TakeCpu(int cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(cpu, &cpus);
  if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0) {
    return ErrnoStatus(errno, fmt::format("taking CPU {}", cpu));
  }
  const sched_param priority{.sched_priority = 1};
  if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) != 0) {
    return ErrnoStatus(errno, fmt::format("taking precedence on CPU {}", cpu));
  }
  return absl::OkStatus();
}

int BenchCpu() { return static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)) - 1; }

}  // namespace stem
