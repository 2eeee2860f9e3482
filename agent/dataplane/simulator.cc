// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/simulator.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/xdp_attachment.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "stem_pipeline.skel.h"

namespace stem {
namespace {

constexpr uint32_t kElement = 0;
// A page without the driver's room before and after the frame: native XDP sees none larger.
constexpr size_t kLargestFrame = 3520;
constexpr size_t kGrowth = 256;  // a frame is never longer afterwards, but the kernel may ask

// Every map but `trace` is the live one, pinned or not. So nothing has to know which of them hold
// state, and a map that is added to the pipeline needs nothing here.
absl::Status ShareMaps(const stem_pipeline& live, stem_pipeline& twin) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, twin.obj) {
    const char* name = bpf_map__name(map);
    if (bpf_map__is_internal(map)) continue;
    if (const int error = bpf_map__set_pin_path(map, nullptr); error != 0) {
      return ErrnoStatus(error, fmt::format("preparing map {} for simulation", name));
    }
    if (std::string_view(name) == "trace") continue;
    const int fd = bpf_object__find_map_fd_by_name(live.obj, name);
    const int error = fd < 0 ? fd : bpf_map__reuse_fd(map, fd);
    if (error != 0) return ErrnoStatus(error, fmt::format("sharing map {}", name));
  }
  return absl::OkStatus();
}

std::vector<stem_reason> ReasonsIn(const __u64 (&bits)[2]) {
  std::vector<stem_reason> reasons;
  for (unsigned reason = 0; reason < STEM_REASON_MAX; ++reason) {
    if ((bits[reason / 64] >> reason % 64 & 1) != 0) {
      reasons.push_back(static_cast<stem_reason>(reason));
    }
  }
  return reasons;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Simulator>> Simulator::TwinOf(const stem_pipeline& live) {
  PipelinePtr twin(stem_pipeline__open());
  if (twin == nullptr) return ErrnoStatus(errno, "opening the pipeline program");
  ShareTailCalls(twin->progs.stem_pipeline);  // as the live one
  std::memcpy(twin->rodata, live.rodata, sizeof(*twin->rodata));
  twin->rodata->dry_run = 1;
  RETURN_IF_ERROR(ShareMaps(live, *twin));
  if (const int error = stem_pipeline__load(twin.get()); error != 0) {
    return ErrnoStatus(error, "loading the pipeline for simulation");
  }
  return std::unique_ptr<Simulator>(new Simulator(std::move(twin)));
}

absl::StatusOr<Simulation> Simulator::Run(const SimulatedPacket& packet) {
  if (packet.frame.size() < ETH_HLEN) {
    return absl::InvalidArgumentError(
        fmt::format("a frame of {} bytes has no Ethernet header", packet.frame.size()));
  }
  if (packet.frame.size() > kLargestFrame) {
    return absl::InvalidArgumentError(fmt::format("a frame of {} bytes: XDP takes {} at most",
                                                  packet.frame.size(), kLargestFrame));
  }
  const int trace = bpf_map__fd(twin_->maps.trace);
  stem_trace decided{};
  decided.reason = STEM_REASON_MAX;
  if (bpf_map_update_elem(trace, &kElement, &decided, BPF_ANY) != 0) {
    return ErrnoStatus(errno, "clearing map trace");
  }
  xdp_md context{};
  context.data_end = static_cast<uint32_t>(packet.frame.size());
  context.ingress_ifindex = packet.ifindex;
  context.rx_queue_index = packet.queue;
  Simulation simulation;
  simulation.frame.resize(packet.frame.size() + kGrowth);
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.frame.data(),
              .data_out = simulation.frame.data(),
              .data_size_in = static_cast<uint32_t>(packet.frame.size()),
              .data_size_out = static_cast<uint32_t>(simulation.frame.size()), .ctx_in = &context,
              .ctx_size_in = sizeof(context), .repeat = 1);
  if (bpf_prog_test_run_opts(bpf_program__fd(twin_->progs.stem_pipeline), &options) != 0) {
    if (errno == EINVAL || errno == E2BIG) {
      return absl::InvalidArgumentError(
          fmt::format("the kernel takes no frame of {} bytes on RX queue {} of interface {}",
                      packet.frame.size(), packet.queue, packet.ifindex));
    }
    return ErrnoStatus(errno, "running the simulation");
  }
  simulation.frame.resize(options.data_size_out);
  if (bpf_map_lookup_elem(trace, &kElement, &decided) != 0) {
    return ErrnoStatus(errno, "reading map trace");
  }
  simulation.action = options.retval;
  simulation.reason = static_cast<stem_reason>(decided.reason);
  simulation.rule = decided.rule;
  simulation.observed = ReasonsIn(decided.observed);
  return simulation;
}

}  // namespace stem
