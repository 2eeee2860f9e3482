// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/pipeline_probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>

#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/unique_fd.h"
#include "agent/dataplane/xdp_attachment.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace

void ProbeDestroyer::operator()(pipeline_probe* skeleton) const {
  pipeline_probe__destroy(skeleton);
}

absl::StatusOr<PipelineProbe> PipelineProbe::OfPipeline(const std::string& pin) {
  Pointer skeleton(pipeline_probe__open());
  if (skeleton == nullptr) return ErrnoStatus(errno, "opening the pipeline probe");
  ShareTailCalls(skeleton->progs.probe);
  const UniqueFd pinned(bpf_obj_get(pin.c_str()));
  if (!pinned.valid()) return ErrnoStatus(errno, fmt::format("opening {}", pin));
  if (bpf_map__reuse_fd(skeleton->maps.pipeline, pinned.get()) != 0 ||
      pipeline_probe__load(skeleton.get()) != 0) {
    return ErrnoStatus(errno, fmt::format("loading the pipeline probe for {}", pin));
  }
  return PipelineProbe(std::move(skeleton));
}

absl::StatusOr<PipelineProbe> PipelineProbe::OfProgram(int program_fd) {
  Pointer skeleton(pipeline_probe__open_and_load());
  if (skeleton == nullptr) return ErrnoStatus(errno, "loading the pipeline probe");
  const uint32_t slot = 0;
  const int program = program_fd != 0 ? program_fd : bpf_program__fd(skeleton->progs.empty);
  if (bpf_map_update_elem(bpf_map__fd(skeleton->maps.pipeline), &slot, &program, BPF_ANY) != 0) {
    return ErrnoStatus(errno, "putting a program into slot 0");
  }
  return PipelineProbe(std::move(skeleton));
}

absl::StatusOr<uint32_t> PipelineProbe::Run(Traffic& traffic, uint32_t repeats, uint32_t* verdict) {
  skeleton_->bss->stream = traffic.streams.front();
  std::vector<char> frame = FrameTemplate(traffic);
  xdp_md context{};
  context.data_end = static_cast<uint32_t>(frame.size());
  context.ingress_ifindex = if_nametoindex("outside0");
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
              .data_size_in = static_cast<uint32_t>(frame.size()), .ctx_in = &context,
              .ctx_size_in = sizeof(context), .repeat = static_cast<int>(repeats));
  if (bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.probe), &options) != 0) {
    return ErrnoStatus(errno, "running the pipeline probe");
  }
  traffic.streams.front() = skeleton_->bss->stream;
  *verdict = options.retval;
  return options.duration;
}

absl::Status RunProbes(const BenchOptions& options, std::vector<ProbeCase>& cases) {
  constexpr uint32_t kRepeats = 500'000;
  const auto repeats = static_cast<uint32_t>(kRepeats * options.seconds / BenchOptions().seconds);
  ASSIGN_OR_RETURN(PipelineProbe alone, PipelineProbe::OfProgram(0));
  std::vector<PipelineProbe> probes;
  for (const ProbeCase& one : cases) {
    ASSIGN_OR_RETURN(PipelineProbe probe, one.pin.empty() ? PipelineProbe::OfProgram(one.program)
                                                          : PipelineProbe::OfPipeline(one.pin));
    probes.push_back(std::move(probe));
  }
  std::vector<std::vector<double>> ns(cases.size());
  for (int round = 0; round < options.rounds; ++round) {
    for (size_t i = 0; i < cases.size(); ++i) {
      ProbeCase& one = cases[i];
      RETURN_IF_ERROR(one.lab->Enter());
      uint32_t verdict = 0;
      Traffic copy = one.traffic;  // the pipeline must not miss the packets of the probe alone
      ASSIGN_OR_RETURN(const uint32_t own, alone.Run(copy, repeats, &verdict));
      ASSIGN_OR_RETURN(const uint32_t all, probes[i].Run(one.traffic, repeats, &verdict));
      if (verdict != one.verdict) {
        return absl::InternalError(
            fmt::format("{}: XDP action {} instead of {}", one.name, verdict, one.verdict));
      }
      ns[i].push_back(static_cast<double>(all) - own);
    }
  }
  for (size_t i = 0; i < cases.size(); ++i) cases[i].ns = Median(ns[i]);
  return absl::OkStatus();
}

}  // namespace stem
