// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/xdp_attachment.h"

#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <xdp/libxdp.h>

#include "agent/dataplane/errno_status.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr char kRootName[] = "stem_root";

struct MultiprogCloser {
  void operator()(xdp_multiprog* programs) const { xdp_multiprog__close(programs); }
};
using MultiprogPtr = std::unique_ptr<xdp_multiprog, MultiprogCloser>;

xdp_attach_mode LibxdpMode(XdpMode mode) {
  return mode == XdpMode::kNative ? XDP_MODE_NATIVE : XDP_MODE_SKB;
}

absl::StatusOr<unsigned> InterfaceIndex(const std::string& interface) {
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0) {
    return absl::NotFoundError(fmt::format(
        "interface '{}' does not exist here: `ip -br link` lists those of this network namespace",
        interface));
  }
  return index;
}

// What runs on the interface; nullptr when nothing does.
absl::StatusOr<MultiprogPtr> ProgramsOn(const std::string& interface) {
  ASSIGN_OR_RETURN(const unsigned index, InterfaceIndex(interface));
  xdp_multiprog* programs = xdp_multiprog__get_from_ifindex(static_cast<int>(index));
  const long error = libxdp_get_error(programs);
  if (error == -ENOENT) return MultiprogPtr();
  if (error != 0) {
    return ErrnoStatus(static_cast<int>(error),
                       fmt::format("reading the XDP programs of '{}'", interface));
  }
  return MultiprogPtr(programs);
}

int AttachAlone(const xdp_program* program, int index, XdpMode mode) {
  const uint32_t how = mode == XdpMode::kNative ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
  return bpf_xdp_attach(index, xdp_program__fd(program), XDP_FLAGS_UPDATE_IF_NOEXIST | how,
                        nullptr);
}

}  // namespace

void XdpProgramCloser::operator()(xdp_program* program) const { xdp_program__close(program); }

absl::StatusOr<XdpAttachment> FindAttachment(const std::string& interface, uint32_t program_id) {
  ASSIGN_OR_RETURN(const MultiprogPtr programs, ProgramsOn(interface));
  if (programs == nullptr) return XdpAttachment{};
  const bool alone = xdp_multiprog__is_legacy(programs.get());
  if (alone) {
    const xdp_program* main = xdp_multiprog__main_prog(programs.get());
    if (xdp_program__id(main) == program_id) return XdpAttachment{true, false};
    return absl::FailedPreconditionError(fmt::format(
        "another XDP program ('{}', id {}) runs on '{}' without a dispatcher: remove it with "
        "`ip link set dev {} xdp off`, or stop the other instance of stem-agent (--remove)",
        xdp_program__name(main), xdp_program__id(main), interface, interface));
  }
  for (const xdp_program* program = xdp_multiprog__next_prog(nullptr, programs.get());
       program != nullptr; program = xdp_multiprog__next_prog(program, programs.get())) {
    if (xdp_program__id(program) == program_id) return XdpAttachment{true, true};
  }
  for (const xdp_program* program = xdp_multiprog__next_prog(nullptr, programs.get());
       program != nullptr; program = xdp_multiprog__next_prog(program, programs.get())) {
    if (std::string_view(xdp_program__name(program)) != kRootName) continue;
    return absl::FailedPreconditionError(fmt::format(
        "another XDP program of ours ('{}', id {}) runs on '{}', and would let pass what this one "
        "must judge: stop the other instance of stem-agent (--remove)",
        kRootName, xdp_program__id(program), interface));
  }
  return XdpAttachment{};
}

void ShareTailCalls(bpf_program* program) {
  bpf_program__set_expected_attach_type(program, static_cast<bpf_attach_type>(0));
}

absl::Status AttachXdp(xdp_program* program, const XdpPlace& place) {
  const auto& [interface, mode, company] = place;
  ASSIGN_OR_RETURN(const unsigned unsigned_index, InterfaceIndex(interface));
  const int index = static_cast<int>(unsigned_index);
  if (company == XdpCompany::kNobody) {
    ASSIGN_OR_RETURN(const MultiprogPtr programs, ProgramsOn(interface));
    if (programs != nullptr) {
      return absl::FailedPreconditionError(fmt::format(
          "'{0}' runs other XDP programs, and on this kernel libxdp's dispatcher does not take "
          "ours "
          "beside them (log.level: debug says why): remove them with `xdp-loader unload {0} --all`",
          interface));
    }
  }
  const int error = company == XdpCompany::kNobody
                        ? AttachAlone(program, index, mode)
                        : xdp_program__attach(program, index, LibxdpMode(mode), 0);
  if (error == 0) return absl::OkStatus();
  const char* advice = mode == XdpMode::kNative ? ": native mode needs driver support, a free TX "
                                                  "queue per CPU (`ethtool -l`), an MTU that "
                                                  "fits a page (`ip link set dev IF mtu 1500`) and "
                                                  "no LRO; or set interfaces.mode: generic"
                                                : "";
  const absl::Status status =
      ErrnoStatus(error, fmt::format("attaching XDP to '{}' in {} mode", interface,
                                     mode == XdpMode::kNative ? "native" : "generic"));
  return absl::Status(status.code(), fmt::format("{}{}", std::string(status.message()), advice));
}

absl::Status DetachXdp(xdp_program* program, const std::string& interface) {
  absl::StatusOr<XdpAttachment> found = FindAttachment(interface, xdp_program__id(program));
  if (absl::IsNotFound(found.status())) return absl::OkStatus();
  RETURN_IF_ERROR(found.status());
  if (!found->attached) return absl::OkStatus();
  ASSIGN_OR_RETURN(const unsigned index, InterfaceIndex(interface));
  const int error = xdp_program__detach(program, static_cast<int>(index), XDP_MODE_UNSPEC, 0);
  if (error != 0) {
    return ErrnoStatus(error, fmt::format("detaching XDP from '{}'", interface));
  }
  return absl::OkStatus();
}

}  // namespace stem
