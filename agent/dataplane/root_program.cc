// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/root_program.h"

#include <bpf/bpf.h>
#include <spdlog/spdlog.h>
#include <xdp/libxdp.h>

#include <cerrno>
#include <filesystem>
#include <memory>

#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/library_log.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "stem_root.skel.h"

namespace stem {
namespace {

struct RootDestroyer {
  void operator()(stem_root* skeleton) const { stem_root__destroy(skeleton); }
};

struct Root {
  std::unique_ptr<stem_root, RootDestroyer> skeleton;  // of a new one; outlives the program
  XdpProgramPtr program;
};

std::string PinOf(const std::string& directory) { return fmt::format("{}/root", directory); }

absl::StatusOr<XdpProgramPtr> Checked(xdp_program* program, std::string_view doing) {
  if (const long error = libxdp_get_error(program); error != 0) {
    return ErrnoStatus(static_cast<int>(error), doing);
  }
  return XdpProgramPtr(program);
}

absl::StatusOr<Root> PinnedRoot(const std::string& directory) {
  Root root;
  const std::string pin = PinOf(directory);
  ASSIGN_OR_RETURN(root.program,
                   Checked(xdp_program__from_pin(pin.c_str()), fmt::format("opening {}", pin)));
  return root;
}

// Not loaded yet: libxdp loads it when it attaches, because for its dispatcher it must choose the
// program type itself.
absl::StatusOr<Root> NewRoot(const std::string& directory) {
  LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = directory.c_str());
  Root root;
  root.skeleton.reset(stem_root__open_opts(&options));
  if (root.skeleton == nullptr) return ErrnoStatus(errno, "opening the root program");
  ShareTailCalls(root.skeleton->progs.stem_root);
  ASSIGN_OR_RETURN(root.program, Checked(xdp_program__from_bpf_obj(root.skeleton->obj, "xdp"),
                                         "preparing the root program"));
  return root;
}

// A new one, loaded for being alone on its interfaces.
absl::StatusOr<Root> LoadedRoot(const std::string& directory) {
  ASSIGN_OR_RETURN(Root root, NewRoot(directory));
  if (const int error = stem_root__load(root.skeleton.get()); error != 0) {
    return ErrnoStatus(error, "loading the root program (the kernel's reason is in the log)");
  }
  const int fd = bpf_program__fd(root.skeleton->progs.stem_root);
  ASSIGN_OR_RETURN(root.program, Checked(xdp_program__from_fd(fd), "preparing the root program"));
  return root;
}

// Before its first load a program has no id; 0 is nobody's.
uint32_t IdOf(const Root& root) {
  return xdp_program__fd(root.program.get()) >= 0 ? xdp_program__id(root.program.get()) : 0;
}

absl::Status AttachWhereMissing(const Root& root, XdpCompany company,
                                std::vector<InterfaceState>& interfaces) {
  for (InterfaceState& interface : interfaces) {
    ASSIGN_OR_RETURN(XdpAttachment attachment, FindAttachment(interface.name, IdOf(root)));
    if (!attachment.attached) {
      RETURN_IF_ERROR(AttachXdp(root.program.get(), {interface.name, interface.mode, company}));
      ASSIGN_OR_RETURN(attachment, FindAttachment(interface.name, IdOf(root)));
    }
    interface.dispatcher = attachment.dispatcher;
  }
  return absl::OkStatus();
}

void TakeBack(const Root& root, const std::vector<InterfaceState>& interfaces) {
  if (IdOf(root) == 0) return;
  for (const InterfaceState& interface : interfaces) {
    const absl::Status status = DetachXdp(root.program.get(), interface.name);
    // A precondition that failed is another's program there, not ours.
    if (!status.ok() && !absl::IsFailedPrecondition(status)) {
      spdlog::error("{}", status.ToString());
    }
  }
}

}  // namespace

bool RootIsPinned(const std::string& directory) {
  return std::filesystem::exists(PinOf(directory));
}

absl::Status AttachRoot(const std::string& directory, std::vector<InterfaceState>& interfaces) {
  const bool is_new = !RootIsPinned(directory);
  absl::Status beside;
  ASSIGN_OR_RETURN(Root root, is_new ? NewRoot(directory) : PinnedRoot(directory));
  {
    const LoadMayFail trial;
    beside = AttachWhereMissing(root, XdpCompany::kOthers, interfaces);
  }
  if (!beside.ok()) {
    if (is_new) {
      TakeBack(root, interfaces);
      // What was loaded for the dispatcher, or could not be, is good for nothing else.
      ASSIGN_OR_RETURN(root, LoadedRoot(directory));
    }
    const absl::Status alone = AttachWhereMissing(root, XdpCompany::kNobody, interfaces);
    if (!alone.ok()) {
      if (is_new) TakeBack(root, interfaces);
      return alone;
    }
    spdlog::warn("no other XDP program can run beside ours: {} (log.level: debug says why)",
                 std::string(beside.message()));
  }
  if (!is_new) return absl::OkStatus();
  const std::string pin = PinOf(directory);
  if (bpf_obj_pin(xdp_program__fd(root.program.get()), pin.c_str()) != 0) {
    const absl::Status status = ErrnoStatus(errno, fmt::format("pinning {}", pin));
    TakeBack(root, interfaces);
    return status;
  }
  return absl::OkStatus();
}

absl::Status DetachRoot(const std::string& directory, const std::vector<std::string>& interfaces) {
  if (!RootIsPinned(directory)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Root root, PinnedRoot(directory));
  for (const std::string& interface : interfaces) {
    RETURN_IF_ERROR(DetachXdp(root.program.get(), interface));
  }
  return absl::OkStatus();
}

}  // namespace stem
