// SPDX-License-Identifier: Apache-2.0
// Attaching the root program to an interface through libxdp, and finding it there again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct bpf_program;
struct xdp_program;

namespace stem {

enum class XdpMode { kNative, kGeneric };

// Whom a program may meet on its interface: others, through libxdp's dispatcher, or nobody.
enum class XdpCompany { kOthers, kNobody };

// Where and how to attach.
struct XdpPlace {
  std::string interface;
  XdpMode mode = XdpMode::kNative;
  XdpCompany company = XdpCompany::kOthers;
};

struct XdpProgramCloser {
  void operator()(xdp_program* program) const;
};
using XdpProgramPtr = std::unique_ptr<xdp_program, XdpProgramCloser>;

// How an interface runs the root program.
struct XdpAttachment {
  bool attached = false;
  bool dispatcher = false;  // beside other programs; else alone on the interface
};

// Before loading: lets it share a map of tail calls with a program in libxdp's dispatcher. Since
// October 2025, stable series included, the kernel allows that only to programs whose expected
// attach types are the same, and an extension program, which the dispatcher makes of those it
// calls, has type 0. (To XDP that number says nothing.)
void ShareTailCalls(bpf_program* program);

// Whether the program with kernel id `program_id` runs on `interface`. FAILED_PRECONDITION, naming
// it and the command that removes it, when a foreign program occupies the interface alone, or when
// another instance of ours judges there.
absl::StatusOr<XdpAttachment> FindAttachment(const std::string& interface, uint32_t program_id);

// Attaches; never falls back to another mode than the one asked for (an error says what usually
// prevents native mode). For nobody's company the program must be loaded, as an XDP program, and
// nothing may run there. On failure the interface is as before.
absl::Status AttachXdp(xdp_program* program, const XdpPlace& place);

// Detaches; OK when it is not attached or the interface is gone.
absl::Status DetachXdp(xdp_program* program, const std::string& interface);

}  // namespace stem
