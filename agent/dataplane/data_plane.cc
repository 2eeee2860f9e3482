// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/data_plane.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/magic.h>
#include <net/if.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <xdp/libxdp.h>

#include <algorithm>
#include <filesystem>

#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/interface_queues.h"
#include "agent/dataplane/pipeline.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "stem_root.skel.h"

namespace stem {
namespace {

constexpr char kBpffs[] = "/sys/fs/bpf";
constexpr char kRootPin[] = "root";

absl::Status CheckBpffs() {
  struct statfs fs {};
  if (statfs(kBpffs, &fs) != 0 || fs.f_type != BPF_FS_MAGIC) {
    return absl::FailedPreconditionError(
        fmt::format("{} is not a BPF file system here: `mount -t bpf bpf {}` (note that `ip netns "
                    "exec` hides it; use `nsenter --net=/run/netns/NAME`)",
                    kBpffs, kBpffs));
  }
  return absl::OkStatus();
}

// The root pinned by an earlier agent, or a new one, not loaded yet: libxdp loads it when it
// attaches, because for its dispatcher it must choose the program type itself.
absl::StatusOr<XdpProgramPtr> RootProgram(const std::string& directory, stem_root** skeleton) {
  const std::string pin = fmt::format("{}/{}", directory, kRootPin);
  if (std::filesystem::exists(pin)) {
    xdp_program* pinned = xdp_program__from_pin(pin.c_str());
    if (const long error = libxdp_get_error(pinned); error != 0) {
      return ErrnoStatus(static_cast<int>(error), fmt::format("opening {}", pin));
    }
    return XdpProgramPtr(pinned);
  }
  LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = directory.c_str());
  *skeleton = stem_root__open_opts(&options);
  if (*skeleton == nullptr) return ErrnoStatus(errno, "opening the root program");
  xdp_program* program = xdp_program__from_bpf_obj((*skeleton)->obj, "xdp");
  if (const long error = libxdp_get_error(program); error != 0) {
    return ErrnoStatus(static_cast<int>(error), "preparing the root program");
  }
  return XdpProgramPtr(program);
}

absl::Status AttachRoot(const std::string& directory, std::vector<InterfaceState>& interfaces) {
  stem_root* opened = nullptr;
  absl::StatusOr<XdpProgramPtr> root = RootProgram(directory, &opened);
  const std::unique_ptr<stem_root, void (*)(stem_root*)> skeleton(opened, stem_root__destroy);
  RETURN_IF_ERROR(root.status());
  for (InterfaceState& interface : interfaces) {
    // Before its first load the program has no id; 0 is nobody's.
    const bool loaded = xdp_program__fd(root->get()) >= 0;
    const uint32_t id = loaded ? xdp_program__id(root->get()) : 0;
    ASSIGN_OR_RETURN(XdpAttachment attachment, FindAttachment(interface.name, id));
    if (!attachment.attached) {
      RETURN_IF_ERROR(AttachXdp(root->get(), interface.name, interface.mode));
      ASSIGN_OR_RETURN(attachment, FindAttachment(interface.name, xdp_program__id(root->get())));
    }
    interface.dispatcher = attachment.dispatcher;
  }
  if (skeleton == nullptr) return absl::OkStatus();
  const std::string pin = fmt::format("{}/{}", directory, kRootPin);
  if (const int error = xdp_program__pin(root->get(), pin.c_str()); error != 0) {
    return ErrnoStatus(error, fmt::format("pinning {}", pin));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> OpenPin(const std::string& directory, const char* map) {
  const std::string path = fmt::format("{}/{}", directory, map);
  UniqueFd fd(bpf_obj_get(path.c_str()));
  if (!fd.valid()) return ErrnoStatus(errno, fmt::format("opening pinned map {}", path));
  return fd;
}

absl::StatusOr<InterfaceState> DescribeInterface(const std::string& name, stem_side side,
                                                 XdpMode mode) {
  const unsigned index = if_nametoindex(name.c_str());
  if (index == 0) {
    return absl::NotFoundError(fmt::format(
        "interface '{}' does not exist in this network namespace: `ip -br link`", name));
  }
  ASSIGN_OR_RETURN(const uint32_t queues, RxQueueCount(name));
  if (queues > STEM_MAX_QUEUES) {
    return absl::FailedPreconditionError(
        fmt::format("'{}' has {} RX queues, the data plane serves {}: `ethtool -L {} combined {}`",
                    name, queues, STEM_MAX_QUEUES, name, STEM_MAX_QUEUES));
  }
  return InterfaceState{name, side, index, mode, queues, false};
}

// The libraries speak of trials that are expected to fail (libxdp's dispatcher on kernels without
// freplace); what matters comes back as an error code. So their words are for `log.level: debug`,
// the verifier's excepted.
int LogLibbpf(libbpf_print_level level, const char* format, va_list arguments) {
  // The verifier's log is one message of many pages, and its reason is at the end.
  va_list counted;
  va_copy(counted, arguments);
  const int length = vsnprintf(nullptr, 0, format, counted);
  va_end(counted);
  std::string line(static_cast<size_t>(std::max(length, 0)) + 1, '\0');
  vsnprintf(line.data(), line.size(), format, arguments);
  std::string_view text(line.c_str());
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  const bool verifier =
      level == LIBBPF_WARN && text.find("PROG LOAD LOG") != std::string_view::npos;
  spdlog::log(verifier ? spdlog::level::err : spdlog::level::debug, "{}", text);
  return 0;
}

int LogLibxdp(libxdp_print_level, const char* format, va_list arguments) {
  return LogLibbpf(LIBBPF_DEBUG, format, arguments);
}

}  // namespace

std::string DataPlane::PinDirectory(const std::string& name) {
  return fmt::format("{}/stem/{}", kBpffs, name);
}

absl::StatusOr<DataPlane> DataPlane::Open(const DataPlaneConfig& config) {
  libbpf_set_print(LogLibbpf);
  libxdp_set_print(LogLibxdp);
  RETURN_IF_ERROR(CheckBpffs());
  const std::string directory = PinDirectory(config.name);

  DataPlane plane;
  ASSIGN_OR_RETURN(InterfaceState outside,
                   DescribeInterface(config.outside, STEM_SIDE_OUTSIDE, config.mode));
  ASSIGN_OR_RETURN(InterfaceState inside,
                   DescribeInterface(config.inside, STEM_SIDE_INSIDE, config.mode));
  plane.interfaces_ = {outside, inside};

  plane.adopted_ = std::filesystem::exists(fmt::format("{}/{}", directory, kRootPin));
  for (const std::string& path : {fmt::format("{}/stem", kBpffs), directory}) {
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
      return ErrnoStatus(errno, fmt::format("making {}", path));
    }
  }
  RETURN_IF_ERROR(plane.Reload(config));
  RETURN_IF_ERROR(AttachRoot(directory, plane.interfaces_));

  ASSIGN_OR_RETURN(plane.pinholes_, OpenPin(directory, "pinholes"));
  ASSIGN_OR_RETURN(plane.calls_, OpenPin(directory, "calls"));
  ASSIGN_OR_RETURN(plane.counters_, OpenPin(directory, "counters"));
  ASSIGN_OR_RETURN(plane.observed_, OpenPin(directory, "observed"));
  ASSIGN_OR_RETURN(plane.blocks_, OpenPin(directory, "blocks"));
  ASSIGN_OR_RETURN(plane.block_count_, OpenPin(directory, "block_count"));
  ASSIGN_OR_RETURN(plane.permits_, OpenPin(directory, "permits"));
  ASSIGN_OR_RETURN(plane.sip_sources_, OpenPin(directory, "sip_sources"));
  ASSIGN_OR_RETURN(plane.xsks_, OpenPin(directory, "xsks"));
  ASSIGN_OR_RETURN(plane.events_, OpenPin(directory, "events"));
  ASSIGN_OR_RETURN(plane.rule_counters_, OpenPin(directory, "rule_counters"));
  ASSIGN_OR_RETURN(plane.rule_slots_, OpenPin(directory, "rule_slots"));
  return plane;
}

absl::Status DataPlane::Reload(const DataPlaneConfig& config) {
  ASSIGN_OR_RETURN(
      const PipelinePtr pipeline,
      LoadPipeline(config, PinDirectory(config.name), interfaces_[0].index, interfaces_[1].index));
  const uint32_t slot = 0;
  const int program = bpf_program__fd(pipeline->progs.stem_pipeline);
  if (bpf_map_update_elem(bpf_map__fd(pipeline->maps.pipeline), &slot, &program, BPF_ANY) != 0) {
    return ErrnoStatus(errno, "putting the pipeline into slot 0");
  }
  return absl::OkStatus();
}

absl::Status DataPlane::Remove(const std::string& name,
                               const std::vector<std::string>& interfaces) {
  libbpf_set_print(LogLibbpf);
  libxdp_set_print(LogLibxdp);
  const std::string directory = PinDirectory(name);
  const std::string pin = fmt::format("{}/{}", directory, kRootPin);
  if (std::filesystem::exists(pin)) {
    xdp_program* raw = xdp_program__from_pin(pin.c_str());
    if (const long error = libxdp_get_error(raw); error != 0) {
      return ErrnoStatus(static_cast<int>(error), fmt::format("opening {}", pin));
    }
    const XdpProgramPtr root(raw);
    for (const std::string& interface : interfaces) {
      RETURN_IF_ERROR(DetachXdp(root.get(), interface));
    }
  }
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  if (error) return ErrnoStatus(error.value(), fmt::format("removing {}", directory));
  return absl::OkStatus();
}

}  // namespace stem
