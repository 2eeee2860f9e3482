// SPDX-License-Identifier: Apache-2.0
// What the kernel side is loaded with.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/dataplane/compiled_rules.h"
#include "agent/dataplane/xdp_attachment.h"

namespace stem {

struct DataPlaneConfig {
  std::string name;     // instance: pins lie under /sys/fs/bpf/stem/NAME
  std::string outside;  // interface names
  std::string inside;
  XdpMode mode = XdpMode::kNative;
  std::vector<uint16_t> sip_ports;  // 1 to STEM_MAX_SIP_PORTS
  bool agent_down_pass = false;
  bool default_pass = false;
  uint32_t max_calls = 0;
  uint32_t max_pinholes = 0;
  uint32_t events_per_second = 100;            // per CPU
  std::shared_ptr<const CompiledRules> rules;  // none without
};

}  // namespace stem
