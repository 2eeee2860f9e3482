// SPDX-License-Identifier: Apache-2.0
// What the preflight knows of the host, gathered in one go.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace stem::ctl {

struct InterfaceFacts {
  std::string name;
  bool exists = false;
  bool up = false;
  uint32_t mtu = 0;
  std::string driver;      // as ethtool names it, empty where the driver does not say
  std::string agent_mode;  // how a running agent has attached: native, generic; else empty
  uint32_t queues = 0;     // for reception
  uint32_t most_queues = 0;
  bool combined = false;  // queues are for both directions
  int reverse_path = 0;   // rp_filter in effect: the larger of its own and that of all
  std::map<std::string, bool> features;  // offloads, by their names in ethtool -k

  bool Has(const std::string& feature) const {
    const auto found = features.find(feature);
    return found != features.end() && found->second;
  }
};

struct HostFacts {
  std::vector<InterfaceFacts> interfaces;
  unsigned cpus = 0;
  bool btf = false;
  bool bpffs = false;
  // Settings of the kernel under /proc/sys, by their names in sysctl; absent where there is none.
  std::map<std::string, std::string> settings;
};

// Of this network namespace. What cannot be read stays as above.
HostFacts GatherFacts(const std::vector<std::string>& interfaces);

}  // namespace stem::ctl
