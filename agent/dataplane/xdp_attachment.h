// SPDX-License-Identifier: Apache-2.0
// Attaching the root program to an interface through libxdp, and finding it there again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct xdp_program;

namespace stem {

enum class XdpMode { kNative, kGeneric };

struct XdpProgramCloser {
  void operator()(xdp_program* program) const;
};
using XdpProgramPtr = std::unique_ptr<xdp_program, XdpProgramCloser>;

// How an interface runs the root program.
struct XdpAttachment {
  bool attached = false;
  bool dispatcher = false;  // beside other programs; else alone on the interface
};

// Whether the program with kernel id `program_id` runs on `interface`. FAILED_PRECONDITION, naming
// it and the command that removes it, when a foreign program occupies the interface alone.
absl::StatusOr<XdpAttachment> FindAttachment(const std::string& interface, uint32_t program_id);

// Attaches; never falls back to another mode than the one asked for (an error says what usually
// prevents native mode). On failure the interface is as before.
absl::Status AttachXdp(xdp_program* program, const std::string& interface, XdpMode mode);

// Detaches; OK when it is not attached or the interface is gone.
absl::Status DetachXdp(xdp_program* program, const std::string& interface);

}  // namespace stem
