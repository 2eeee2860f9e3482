// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/pipeline.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <random>

#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/kernel_pinhole_table.h"
#include "agent/dataplane/pinhole_index.h"
#include "agent/dataplane/pinned_map.h"
#include "agent/dataplane/rule_tables.h"
#include "agent/dataplane/unique_fd.h"
#include "bpf/pinhole_hash.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "stem_pipeline.skel.h"

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
  if (info.type != bpf_map__type(map) || info.key_size != bpf_map__key_size(map) ||
      info.value_size != bpf_map__value_size(map)) {
    return absl::FailedPreconditionError(fmt::format(
        "{} was made by another version of stem-agent: start that one, {}", path, kAdvice));
  }
  const uint32_t spare =
      bpf_map__name(map) == std::string_view("pinholes") ? KernelPinholeTable::PlacesFor(0) : 0;
  if (info.max_entries != bpf_map__max_entries(map)) {
    return absl::FailedPreconditionError(fmt::format(
        "{} holds {} entries and live calls may be in it, the configuration asks for {}: set it "
        "back, {}",
        path, info.max_entries - spare, bpf_map__max_entries(map) - spare, kAdvice));
  }
  return absl::OkStatus();
}

stem_limit ToKernel(const GuardLimit& limit) {
  if (limit.rate <= 0) return {};
  const auto cost = static_cast<__u64>(std::llround(1e9 / limit.rate));
  return {cost, cost * limit.burst, static_cast<__u64>(limit.penalty.count())};
}

// A secret nobody outside can aim at, new for each pipeline.
uint64_t RandomSeed() {
  std::random_device device;
  return static_cast<uint64_t>(device()) << 32 | device();
}

using Rodata = stem_pipeline::stem_pipeline__rodata;

void SpecialiseGuards(const DataPlaneConfig& config, Rodata& rodata) {
  const SynGuardConfig& syn = config.syn_guard;
  rodata.syn_source_limit = ToKernel(syn.source);
  rodata.syn_new_source_limit = ToKernel(syn.new_sources);
  rodata.syn_destination_limit = ToKernel(syn.destination);
  rodata.syn_challenge = syn.challenge;
  rodata.syn_verified_ns = static_cast<uint64_t>(syn.verified.count());
  rodata.syn_permits = syn.permits;
  const InviteGuardConfig& sip = config.invite_guard;
  rodata.sip_limits[STEM_SIP_INVITE] = ToKernel(sip.invite);
  rodata.sip_limits[STEM_SIP_REGISTER] = ToKernel(sip.registers);
  rodata.sip_limits[STEM_SIP_OTHER] = ToKernel(sip.other);
  rodata.sip_limits[STEM_SIP_RESPONSE] = ToKernel(sip.response);
  for (const stem_limit& limit : rodata.sip_limits) {
    rodata.sip_longest_penalty_ns = std::max(rodata.sip_longest_penalty_ns, limit.penalty_ns);
  }
  rodata.sip_new_source_limit = ToKernel(sip.new_sources);
  rodata.sip_answered = sip.answered;
  rodata.hash_seed = RandomSeed();
}

void Specialise(const DataPlaneConfig& config, unsigned outside, unsigned inside, Rodata& rodata) {
  rodata.outside_ifindex = outside;
  rodata.inside_ifindex = inside;
  rodata.default_pass = config.default_pass;
  rodata.agent_down_pass = config.agent_down_pass;
  // Differs from any pipeline's before it, also of an earlier agent's.
  rodata.rule_generation = static_cast<uint32_t>(RandomSeed()) | 1;
  rodata.bucket_shift = PinholeIndex::ShiftFor(config.max_pinholes);
  rodata.events_per_second = config.events_per_second;
  std::fill_n(rodata.sip_ports, STEM_MAX_SIP_PORTS, 0);
  std::copy(config.sip_ports.begin(), config.sip_ports.end(), rodata.sip_ports);
  std::copy(config.modules.begin(), config.modules.end(), rodata.module_mode);
  SpecialiseGuards(config, rodata);
  rodata.fragments_pass = config.fragments.pass;
  rodata.early_fragment_limit = ToKernel(config.fragments.early);
  rodata.ssrc_relatch_ns = static_cast<uint64_t>(config.ssrc_relatch.count());
}

// Of the index of pinholes that an earlier agent has filled, or a new one.
absl::StatusOr<uint64_t> PinholeSeed(const DataPlaneConfig& config, const std::string& directory) {
  const absl::StatusOr<UniqueFd> pinned = OpenPinnedMap(directory, "pinhole_index");
  if (absl::IsNotFound(pinned.status())) return RandomSeed();
  RETURN_IF_ERROR(pinned.status());
  const uint32_t last = PinholeIndex::BucketsFor(config.max_pinholes);
  stem_pinhole_bucket seed{};
  if (bpf_map_lookup_elem(pinned->get(), &last, &seed) != 0) {
    return ErrnoStatus(errno, "reading the seed of pinhole_index");
  }
  // Zero: whoever made the map was killed before it had a pinhole.
  return seed.marks != 0 ? seed.marks : RandomSeed();
}

absl::Status KeepPinholeSeed(const DataPlaneConfig& config, uint64_t seed,
                             const stem_pipeline& pipeline) {
  const uint32_t last = PinholeIndex::BucketsFor(config.max_pinholes);
  const stem_pinhole_bucket element{.marks = seed, .slot = {}};
  if (bpf_map_update_elem(bpf_map__fd(pipeline.maps.pinhole_index), &last, &element, BPF_ANY) ==
      0) {
    return absl::OkStatus();
  }
  return ErrnoStatus(errno, "keeping the seed of pinhole_index");
}

void SetSizes(const DataPlaneConfig& config, stem_pipeline& pipeline) {
  bpf_map__set_max_entries(pipeline.maps.calls, config.max_calls);
  bpf_map__set_max_entries(pipeline.maps.pinhole_index,
                           PinholeIndex::ElementsFor(config.max_pinholes));
  const uint32_t places = KernelPinholeTable::PlacesFor(config.max_pinholes);
  bpf_map__set_max_entries(pipeline.maps.pinholes, places);
  bpf_map__set_max_entries(pipeline.maps.pinhole_details, places);
  bpf_map__set_max_entries(pipeline.maps.media_limits, places);
  bpf_map__set_max_entries(pipeline.maps.blocks, config.max_blocks);
  bpf_map__set_max_entries(pipeline.maps.syn_sources, config.max_syn_sources);
  bpf_map__set_max_entries(pipeline.maps.verified_sources, config.max_verified_sources);
  bpf_map__set_max_entries(pipeline.maps.sip_sources, config.max_sip_sources);
  bpf_map__set_max_entries(pipeline.maps.permits, config.max_permits);
  bpf_map__set_max_entries(pipeline.maps.fragments, config.max_fragments);
  bpf_map__set_max_entries(pipeline.maps.rule_slots, config.max_rule_slots);
  bpf_map__set_max_entries(pipeline.maps.rule_counters, config.max_rule_slots);
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
  ShareTailCalls(skeleton->progs.stem_pipeline);

  Specialise(config, outside, inside, *skeleton->rodata);
  SetSizes(config, *skeleton);
  const CompiledRules none;
  const CompiledRules& rules = config.rules != nullptr ? *config.rules : none;
  RETURN_IF_ERROR(SizeRuleTables(rules, *skeleton));

  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton->obj) {
    if (bpf_map__pin_path(map) != nullptr) RETURN_IF_ERROR(CheckPinnedMap(map, directory));
  }
  ASSIGN_OR_RETURN(const uint64_t seed, PinholeSeed(config, directory));
  stem_pinhole_hash_keys(seed, skeleton->rodata->pinhole_keys);
  if (const int error = stem_pipeline__load(skeleton.get()); error != 0) {
    return ErrnoStatus(error, "loading the pipeline program (the kernel's reason is in the log)");
  }
  RETURN_IF_ERROR(KeepPinholeSeed(config, seed, *skeleton));
  RETURN_IF_ERROR(FillRuleTables(rules, *skeleton));
  return skeleton;
}

}  // namespace stem
