// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/pipeline.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>

#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/rule_tables.h"
#include "agent/dataplane/unique_fd.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

// A pinned map keeps its size for life; libbpf would only say EINVAL.
absl::Status CheckPinnedMap(const bpf_map* map, const std::string& directory) {
  const std::string path = fmt::format("{}/{}", directory, bpf_map__name(map));
  const UniqueFd pinned(bpf_obj_get(path.c_str()));
  if (!pinned.valid()) {
    if (errno == ENOENT) return absl::OkStatus();
    return ErrnoStatus(errno, fmt::format("opening pinned map {}", path));
  }
  bpf_map_info info{};
  uint32_t length = sizeof(info);
  if (bpf_obj_get_info_by_fd(pinned.get(), &info, &length) != 0) {
    return ErrnoStatus(errno, fmt::format("reading pinned map {}", path));
  }
  constexpr char kAdvice[] =
      "or end the calls and run `stem-agent --config FILE --remove` before starting";
  if (info.max_entries != bpf_map__max_entries(map)) {
    return absl::FailedPreconditionError(fmt::format(
        "{} holds {} entries and live calls may be in it, the configuration asks for {}: set it "
        "back, {}",
        path, info.max_entries, bpf_map__max_entries(map), kAdvice));
  }
  if (info.type != bpf_map__type(map) || info.key_size != bpf_map__key_size(map) ||
      info.value_size != bpf_map__value_size(map)) {
    return absl::FailedPreconditionError(fmt::format(
        "{} was made by another version of stem-agent: start that one, {}", path, kAdvice));
  }
  return absl::OkStatus();
}

}  // namespace

void PipelineDestroyer::operator()(stem_pipeline* skeleton) const {
  stem_pipeline__destroy(skeleton);
}

absl::StatusOr<PipelinePtr> LoadPipeline(const DataPlaneConfig& config,
                                         const std::string& directory, unsigned outside,
                                         unsigned inside) {
  LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = directory.c_str());
  PipelinePtr skeleton(stem_pipeline__open_opts(&options));
  if (skeleton == nullptr) return ErrnoStatus(errno, "opening the pipeline program");

  skeleton->rodata->outside_ifindex = outside;
  skeleton->rodata->inside_ifindex = inside;
  skeleton->rodata->default_pass = config.default_pass;
  skeleton->rodata->agent_down_pass = config.agent_down_pass;
  skeleton->rodata->events_per_second = config.events_per_second;
  std::fill_n(skeleton->rodata->sip_ports, STEM_MAX_SIP_PORTS, 0);
  std::copy(config.sip_ports.begin(), config.sip_ports.end(), skeleton->rodata->sip_ports);
  bpf_map__set_max_entries(skeleton->maps.calls, config.max_calls);
  bpf_map__set_max_entries(skeleton->maps.pinholes, config.max_pinholes);
  const CompiledRules none;
  const CompiledRules& rules = config.rules != nullptr ? *config.rules : none;
  RETURN_IF_ERROR(SizeRuleTables(rules, *skeleton));

  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton->obj) {
    if (bpf_map__pin_path(map) != nullptr) RETURN_IF_ERROR(CheckPinnedMap(map, directory));
  }
  if (const int error = stem_pipeline__load(skeleton.get()); error != 0) {
    return ErrnoStatus(error, "loading the pipeline program (the kernel's reason is in the log)");
  }
  RETURN_IF_ERROR(FillRuleTables(rules, *skeleton));
  return skeleton;
}

}  // namespace stem
