// SPDX-License-Identifier: Apache-2.0
#include "agent/data_plane_view.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/numbers.h"
#include "agent/control_messages.h"
#include "agent/dataplane/counter_reader.h"
#include "agent/dataplane/hardware_address.h"
#include "agent/dataplane/ip_packet.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr int kMostPackets = 1000;

struct ModuleInfo {
  stem_module module;
  const char* name;
  const char* meaning;
};
constexpr ModuleInfo kModules[] = {
#define STEM_MODULE_INFO(name, meaning) {STEM_MODULE_##name, #name, meaning},
    STEM_MODULES(STEM_MODULE_INFO)
#undef STEM_MODULE_INFO
};

std::optional<stem_module_mode> ParseMode(const std::string& text) {
  for (const stem_module_mode mode : {STEM_MODULE_ON, STEM_MODULE_OBSERVE, STEM_MODULE_OFF}) {
    if (text == ModeText(mode)) return mode;
  }
  return std::nullopt;
}

void AddModules(const ModuleModes& now, const ModuleModes& configured,
                google::protobuf::RepeatedPtrField<v1::Module>* out) {
  for (const ModuleInfo& info : kModules) {
    v1::Module* module = out->Add();
    module->set_name(info.name);
    module->set_mode(ModeText(now[info.module]));
    module->set_configured(ModeText(configured[info.module]));
    module->set_meaning(info.meaning);
  }
}

const char* VerdictText(uint32_t action, stem_reason reason) {
  switch (action) {
    case XDP_DROP:
      return "dropped";
    case XDP_PASS:
      return "passed to the kernel";
    case XDP_REDIRECT:
      if (reason == STEM_REASON_syn_challenged) return "answered";
      return reason == STEM_REASON_media_relayed ? "relayed" : "to the agent";
    default:
      return "aborted";
  }
}

std::string MacText(const uint8_t* mac) {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", mac[0], mac[1], mac[2], mac[3],
                     mac[4], mac[5]);
}

// The relay writes the addresses of the next link: ours tells which link that is.
void AddNextHop(const std::vector<uint8_t>& frame, const std::vector<InterfaceState>& interfaces,
                v1::Simulation& out) {
  if (frame.size() < ETH_HLEN) return;
  out.set_next_hop(MacText(frame.data()));
  for (const InterfaceState& interface : interfaces) {
    const absl::StatusOr<MacAddress> own = HardwareAddress(interface.name);
    if (own.ok() && std::memcmp(own->data(), frame.data() + ETH_ALEN, ETH_ALEN) == 0) {
      out.set_out_interface(interface.name);
    }
  }
}

std::span<const uint8_t> FrameOf(const v1::SimulatedPacket& packet) {
  return {reinterpret_cast<const uint8_t*>(packet.frame().data()), packet.frame().size()};
}

}  // namespace

std::string ModeText(stem_module_mode mode) {
  switch (mode) {
    case STEM_MODULE_ON:
      return "on";
    case STEM_MODULE_OBSERVE:
      return "observe";
    case STEM_MODULE_OFF:
      return "off";
  }
  return "unknown";
}

DataPlaneView::DataPlaneView(DataPlaneViewParts parts, KernelTables tables)
    : parts_(std::move(parts)),
      blocks_(parts_.plane.blocks_fd(), parts_.plane.block_count_fd()),
      permits_(parts_.plane.permits_fd()),
      tables_(std::move(tables)) {}

absl::StatusOr<v1::ListModulesResponse> DataPlaneView::Modules() {
  v1::ListModulesResponse out;
  AddModules(parts_.in_force.modules(), parts_.configured, out.mutable_modules());
  return out;
}

absl::StatusOr<v1::ListModulesResponse> DataPlaneView::SetModule(
    const v1::SetModuleRequest& request) {
  const std::optional<stem_module_mode> mode = ParseMode(request.mode());
  if (!mode) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is no mode: on, observe or off", request.mode()));
  }
  std::string known;
  std::vector<stem_module> meant;
  for (const ModuleInfo& info : kModules) {
    known += fmt::format("{}{}", known.empty() ? "" : ", ", info.name);
    if (request.name() == info.name || request.name() == "all") meant.push_back(info.module);
  }
  if (meant.empty()) {
    return absl::NotFoundError(fmt::format("no module '{}': {}, or all", request.name(), known));
  }
  RETURN_IF_ERROR(parts_.in_force.Change([&](DataPlaneConfig& config) {
    for (const stem_module module : meant) config.modules[module] = *mode;
  }));
  spdlog::info("module {} is {} until the agent starts again", request.name(), request.mode());
  return Modules();
}

absl::StatusOr<v1::SimulateResponse> DataPlaneView::Simulate(const v1::SimulateRequest& request) {
  if (request.packets_size() > kMostPackets) {
    return absl::InvalidArgumentError(
        fmt::format("{} packets at once: {} at most", request.packets_size(), kMostPackets));
  }
  v1::SimulateResponse out;
  for (const v1::SimulatedPacket& packet : request.packets()) {
    *out.add_simulations() = SimulateOne(packet);
  }
  return out;
}

v1::Simulation DataPlaneView::SimulateOne(const v1::SimulatedPacket& packet) {
  v1::Simulation out;
  const std::vector<InterfaceState>& interfaces = parts_.plane.interfaces();
  const auto arrival =
      std::find_if(interfaces.begin(), interfaces.end(),
                   [&](const InterfaceState& one) { return ToMessage(one.side) == packet.from(); });
  if (arrival == interfaces.end()) {
    out.set_error("a packet arrives outside or inside");
    return out;
  }
  const absl::StatusOr<Simulation> simulation =
      parts_.in_force.Simulate({FrameOf(packet), arrival->index, packet.queue()});
  if (!simulation.ok()) {
    out.set_error(std::string(simulation.status().message()));
    return out;
  }
  const ReasonInfo reason = DescribeReason(simulation->reason);
  out.set_verdict(VerdictText(simulation->action, simulation->reason));
  out.set_reason(std::string(reason.name));
  out.set_meaning(std::string(reason.meaning));
  out.set_module(std::string(ModuleName(reason.module)));
  if (simulation->rule != 0) out.set_rule(fmt::format("{}", simulation->rule));
  for (const stem_reason seen : simulation->observed) {
    const ReasonInfo info = DescribeReason(seen);
    v1::Observed* observed = out.add_observed();
    observed->set_reason(std::string(info.name));
    observed->set_module(std::string(ModuleName(info.module)));
  }
  if (simulation->reason == STEM_REASON_media_relayed) {
    AddNextHop(simulation->frame, interfaces, out);
  }
  return out;
}

absl::StatusOr<v1::SimulateResponse> DataPlaneView::Complete(const v1::SimulateRequest& request,
                                                             v1::SimulateResponse answer) {
  for (int i = 0; i < answer.simulations_size(); ++i) {
    v1::Simulation& one = *answer.mutable_simulations(i);
    if (!one.error().empty()) continue;
    uint32_t rule = 0;
    if (absl::SimpleAtoi(one.rule(), &rule)) {
      const std::string name = parts_.rules.NameOf(rule);
      if (!name.empty()) one.set_rule(name);
    }
    const v1::SimulatedPacket& packet = request.packets(i);
    const absl::StatusOr<Datagram> datagram = DecodeFrame(FrameOf(packet));
    if (!datagram.ok()) continue;
    const stem_side side =
        packet.from() == ToMessage(STEM_SIDE_INSIDE) ? STEM_SIDE_INSIDE : STEM_SIDE_OUTSIDE;
    const auto pinhole = parts_.pinholes.Find({datagram->destination, side});
    if (pinhole.ok() && *pinhole) {
      *one.mutable_pinhole() = ToMessage(**pinhole, MonotonicNanoseconds());
    }
  }
  return answer;
}

void DataPlaneView::Describe(v1::AgentStatus& status) {
  AddModules(parts_.in_force.modules(), parts_.configured, status.mutable_modules());
  DescribeInstructions(status);
  Measure();
  for (const KernelTableUse& use : tables_.uses()) {
    v1::TableUse* table = status.add_tables();
    table->set_name(use.name);
    table->set_used(use.used);
    table->set_limit(use.limit);
    table->set_high_water(use.high_water);
    table->set_forgets_oldest(use.forgets_oldest);
    table->set_memory_kib(use.memory_kib);
    if (std::string_view(use.name) == "blocks") {
      table->set_refused(blocks_refused_ + parts_.instructions.blocks_turned_away());
    } else if (std::string_view(use.name) == "permits") {
      table->set_refused(parts_.instructions.permits_turned_away());
    }
  }
}

void DataPlaneView::Measure() {
  if (const absl::Status measured = tables_.Measure(); !measured.ok()) {
    spdlog::warn("the kernel's tables are not measured: {}", measured.ToString());
  }
}

}  // namespace stem
