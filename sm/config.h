// SPDX-License-Identifier: Apache-2.0
// The security manager's configuration file; every key is explained in etc/sm.example.yaml.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/address.h"
#include "common/tls/tls_files.h"
#include "sm/call_policy.h"
#include "sm/replay_guard.h"
#include "sm/store/store.h"
#include "spdlog/common.h"

namespace stem {

// Bounds of what clients can make the process hold.
struct ServerLimits {
  uint64_t request_bytes = 64 << 10;
  uint64_t memory_bytes = 64 << 20;        // of all requests being received
  uint32_t requests_per_connection = 256;  // at the same time
  uint32_t firewalls = 64;                 // watching
};

struct SmConfig {
  Endpoint listen;  // port 0: chosen by the kernel, said in the log
  TlsFiles tls;
  std::string database;
  std::vector<std::string> domains;  // host names in lower case, addresses as IpAddress prints them
  CallPolicyConfig calls;
  ReplayLimits replay;
  StoreLimits store;
  ServerLimits server;
  spdlog::level::level_enum log_level = spdlog::level::info;
};

// INVALID_ARGUMENT with one line per error, "file:line:column: key.path: what is wrong; write what
// is right"; NOT_FOUND and the like when the file cannot be read.
absl::StatusOr<SmConfig> LoadSmConfig(const std::string& path);

}  // namespace stem
