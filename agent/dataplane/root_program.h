// SPDX-License-Identifier: Apache-2.0
// The root program on its interfaces: attached once, and found again by the next agent at its pin.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/dataplane/xdp_attachment.h"
#include "bpf/stem_abi.h"

namespace stem {

// One interface, and how it runs the root.
struct InterfaceState {
  std::string name;
  stem_side side = STEM_SIDE_NONE;
  unsigned index = 0;
  XdpMode mode = XdpMode::kNative;
  uint32_t queues = 0;  // RX queues
  bool dispatcher = false;
};

bool RootIsPinned(const std::string& directory);

// Sees that every interface runs the root pinned in `directory`, or a new one, which is pinned
// there then: through libxdp's dispatcher where the kernel takes it there, else alone. Fills in
// which. On failure nothing new is attached.
absl::Status AttachRoot(const std::string& directory, std::vector<InterfaceState>& interfaces);

// Detaches the root pinned in `directory`; OK when there is none.
absl::Status DetachRoot(const std::string& directory, const std::vector<std::string>& interfaces);

}  // namespace stem
