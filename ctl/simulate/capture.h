// SPDX-License-Identifier: Apache-2.0
// Packets of a capture file (pcap or pcapng), as Ethernet frames.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace stem::ctl {

struct CapturedPacket {
  std::string frame;  // an Ethernet header is put before what was captured without one
  bool whole = true;  // false: the capture kept only its beginning
};

// Hands each packet to `take`, in order, until that says something else than OK. NOT_FOUND or
// FAILED_PRECONDITION for a file that cannot be read or is of a link type other than Ethernet,
// Linux cooked or raw IP.
absl::Status ReadCapture(const std::string& path,
                         const std::function<absl::Status(CapturedPacket)>& take);

}  // namespace stem::ctl
