// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/data_plane.h"

#include <bpf/bpf.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <filesystem>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/interface_queues.h"
#include "agent/dataplane/library_log.h"
#include "agent/dataplane/pinned_map.h"
#include "agent/dataplane/pipeline.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "stem_pipeline.skel.h"

namespace stem {
namespace {

constexpr char kBpffs[] = "/sys/fs/bpf";

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

}  // namespace

std::string DataPlane::PinDirectory(const std::string& name) {
  return fmt::format("{}/stem/{}", kBpffs, name);
}

absl::StatusOr<DataPlane> DataPlane::Open(const DataPlaneConfig& config) {
  LogLibraries();
  RETURN_IF_ERROR(CheckBpffs());
  const std::string directory = PinDirectory(config.name);

  DataPlane plane;
  ASSIGN_OR_RETURN(InterfaceState outside,
                   DescribeInterface(config.outside, STEM_SIDE_OUTSIDE, config.mode));
  ASSIGN_OR_RETURN(InterfaceState inside,
                   DescribeInterface(config.inside, STEM_SIDE_INSIDE, config.mode));
  plane.interfaces_ = {outside, inside};

  plane.adopted_ = RootIsPinned(directory);
  absl::Cleanup leave_nothing_new = [&plane, &config] {
    if (plane.adopted_) return;
    (void)Remove(config.name, {config.outside, config.inside});  // what failed first is told
  };
  for (const std::string& path : {fmt::format("{}/stem", kBpffs), directory}) {
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
      return ErrnoStatus(errno, fmt::format("making {}", path));
    }
  }
  RETURN_IF_ERROR(plane.Reload(config));
  RETURN_IF_ERROR(AttachRoot(directory, plane.interfaces_));

  ASSIGN_OR_RETURN(plane.calls_, OpenPinnedMap(directory, "calls"));
  ASSIGN_OR_RETURN(plane.counters_, OpenPinnedMap(directory, "counters"));
  ASSIGN_OR_RETURN(plane.observed_, OpenPinnedMap(directory, "observed"));
  ASSIGN_OR_RETURN(plane.blocks_, OpenPinnedMap(directory, "blocks"));
  ASSIGN_OR_RETURN(plane.block_count_, OpenPinnedMap(directory, "block_count"));
  ASSIGN_OR_RETURN(plane.permits_, OpenPinnedMap(directory, "permits"));
  ASSIGN_OR_RETURN(plane.xsks_, OpenPinnedMap(directory, "xsks"));
  ASSIGN_OR_RETURN(plane.events_, OpenPinnedMap(directory, "events"));
  ASSIGN_OR_RETURN(plane.rule_counters_, OpenPinnedMap(directory, "rule_counters"));
  ASSIGN_OR_RETURN(plane.rule_slots_, OpenPinnedMap(directory, "rule_slots"));
  std::move(leave_nothing_new).Cancel();
  return plane;
}

absl::Status DataPlane::Reload(const DataPlaneConfig& config) {
  ASSIGN_OR_RETURN(PipelinePtr pipeline, LoadPipeline(config, PinDirectory(config.name),
                                                      interfaces_[0].index, interfaces_[1].index));
  if (pinholes_ == nullptr) {
    const auto& maps = pipeline->maps;
    ASSIGN_OR_RETURN(pinholes_,
                     KernelPinholeTable::Open(
                         {bpf_map__fd(maps.pinhole_index), bpf_map__fd(maps.pinholes),
                          bpf_map__fd(maps.pinhole_details), bpf_map__fd(maps.media_limits)}));
  }
  const uint32_t slot = 0;
  const int program = bpf_program__fd(pipeline->progs.stem_pipeline);
  if (bpf_map_update_elem(bpf_map__fd(pipeline->maps.pipeline), &slot, &program, BPF_ANY) != 0) {
    return ErrnoStatus(errno, "putting the pipeline into slot 0");
  }
  simulator_.reset();
  live_ = std::move(pipeline);
  return absl::OkStatus();
}

absl::StatusOr<Simulation> DataPlane::Simulate(const SimulatedPacket& packet) {
  if (simulator_ == nullptr) {
    ASSIGN_OR_RETURN(simulator_, Simulator::TwinOf(*live_));
  }
  return simulator_->Run(packet);
}

absl::Status DataPlane::Remove(const std::string& name,
                               const std::vector<std::string>& interfaces) {
  LogLibraries();
  const std::string directory = PinDirectory(name);
  RETURN_IF_ERROR(DetachRoot(directory, interfaces));
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  if (error) return ErrnoStatus(error.value(), fmt::format("removing {}", directory));
  return absl::OkStatus();
}

}  // namespace stem
