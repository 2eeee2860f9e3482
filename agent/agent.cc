// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"

#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "agent/dataplane/errno_status.h"
#include "agent/instance_lock.h"
#include "common/clock.h"
#include "common/status_macros.h"

namespace stem {
namespace {

constexpr auto kTick = std::chrono::milliseconds(100);

}  // namespace

absl::StatusOr<std::unique_ptr<Agent>> Agent::Start(AgentConfig config, std::string path) {
  std::unique_ptr<Agent> agent(new Agent(std::move(config), std::move(path)));
  ASSIGN_OR_RETURN(agent->lock_, LockInstance(agent->config_.RunDirectory()));
  ASSIGN_OR_RETURN(agent->loop_, EventLoop::Make(agent->config_.posted_closures));
  if (const absl::Status opened = agent->Open(); !opened.ok()) {
    agent->TakeDownWhatIsNew();
    return opened;
  }
  return agent;
}

absl::Status Agent::Open() {
  RETURN_IF_ERROR(OpenKernel());
  RETURN_IF_ERROR(StartJudgement());
  return WatchSignals();
}

// A start that fails must not leave a firewall without an agent where there was none. What an
// earlier agent left, with its calls, stays.
void Agent::TakeDownWhatIsNew() {
  if (!plane_ || plane_->adopted()) return;
  path_.reset();
  security_manager_.reset();  // it may be applying its first policy
  guard_loader_.reset();
  if (const absl::Status removed = RemoveDataPlane(); !removed.ok()) {
    spdlog::error("the data plane stays in the kernel: {}", removed.ToString());
  }
}

absl::Status Agent::RemoveDataPlane() {
  const DataPlaneConfig& plane = config_.data_plane;
  RETURN_IF_ERROR(DataPlane::Remove(plane.name, {plane.outside, plane.inside}));
  return kept_.Forget();
}

absl::Status Agent::OpenKernel() {
  ASSIGN_OR_RETURN(PreparedRules prepared, PrepareRules(config_.rules));
  for (const std::string& warning : prepared.warnings) spdlog::warn("{}", warning);
  DataPlaneConfig plane = config_.data_plane;
  plane.rules = std::move(prepared.compiled);
  std::optional<InstructionSet> kept = ReadKeptInstructions();
  GuardLimits guards{plane.syn_guard, plane.invite_guard};
  if (kept) guards = LimitsUnder(*kept, guards);
  plane.syn_guard = guards.syn;
  plane.invite_guard = guards.invite;
  ASSIGN_OR_RETURN(plane_, DataPlane::Open(plane));
  ASSIGN_OR_RETURN(const RuleSlots slots, ReadRuleSlots(plane_->rule_slots_fd()));
  rules_.Replace(std::move(prepared.rules), slots);
  in_force_.emplace(&*plane_, std::move(plane));
  FollowInstructions(guards);
  if (kept) {
    spdlog::info("{} instructions of the security manager kept from before", kept->good.size());
    instructions_->Apply(*std::move(kept), Moment::Now(), [](const absl::Status& status) {
      if (!status.ok()) spdlog::error("kept instructions: {}", std::string(status.message()));
    });
  }
  for (const InterfaceState& interface : plane_->interfaces()) {
    spdlog::info("{} is {}: XDP {} ({}), {} RX queues", interface.name,
                 interface.side == STEM_SIDE_OUTSIDE ? "outside" : "inside",
                 interface.mode == XdpMode::kNative ? "native" : "generic",
                 interface.dispatcher ? "through libxdp's dispatcher" : "alone", interface.queues);
  }
  pinholes_ = &plane_->pinholes();
  calls_.emplace(plane_->calls_fd());
  RETURN_IF_ERROR(ShowTables());
  // As the kernel says it of whole datagrams.
  const auto is_signalling = [this](const Datagram& datagram) {
    const auto& ports = config_.calls.signalling_ports;
    return std::any_of(ports.begin(), ports.end(),
                       [&](uint16_t port) {
                         return port == datagram.source.port || port == datagram.destination.port;
                       }) ||
           rules_.Inspects(datagram);
  };
  ASSIGN_OR_RETURN(path_, PacketPath::Open(*plane_, {config_.tun, config_.frames_per_queue,
                                                     config_.reassembly, is_signalling}));
  return absl::OkStatus();
}

absl::StatusOr<RuleReload> Agent::ReloadRules() {
  const std::lock_guard one_at_a_time(reload_);
  ASSIGN_OR_RETURN(const AgentConfig read, LoadAgentConfig(config_path_));
  ASSIGN_OR_RETURN(PreparedRules prepared, PrepareRules(read.rules));
  RETURN_IF_ERROR(in_force_->Change(
      [&](DataPlaneConfig& plane) { plane.rules = std::move(prepared.compiled); }));
  ASSIGN_OR_RETURN(const RuleSlots slots, ReadRuleSlots(plane_->rule_slots_fd()));
  RuleReload done{prepared.rules.size(), std::move(prepared.warnings)};
  loop_->Complete([this, rules = std::move(prepared.rules), slots]() mutable {
    const size_t count = rules.size();
    rules_.Replace(std::move(rules), slots);
    view_->ObserveRuleReload(count, monitor_->JudgePinholesAgain());
  });
  return done;
}

// Reading thousands of rules must not hold up the signalling thread.
void Agent::ReloadRulesAside() {
  reloader_ = std::jthread([this] {
    const absl::StatusOr<RuleReload> done = ReloadRules();
    if (!done.ok()) {
      spdlog::error("rules not reloaded, the old ones stay: {}",
                    std::string(done.status().message()));
      return;
    }
    for (const std::string& warning : done->warnings) spdlog::warn("{}", warning);
  });
}

absl::Status Agent::ShowTables() {
  ASSIGN_OR_RETURN(KernelTables tables,
                   KernelTables::Open(DataPlane::PinDirectory(config_.data_plane.name)));
  RETURN_IF_ERROR(tables.Measure());
  for (const KernelTableUse& use : tables.uses()) {
    spdlog::info("table {}: {} of {} in use, {} KiB; when full it {}", use.name, use.used,
                 use.limit, use.memory_kib,
                 use.forgets_oldest ? "forgets the oldest" : "refuses the newcomer");
  }
  data_plane_view_.emplace(
      DataPlaneViewParts{*in_force_, *plane_, *pinholes_, rules_, *instructions_,
                         config_.data_plane.syn_guard.permits, config_.data_plane.modules},
      std::move(tables));
  return absl::OkStatus();
}

absl::Status Agent::StartJudgement() {
  EventLoop* loop = loop_.get();
  const SecurityManagerConfig& sm = config_.security_manager;
  ASSIGN_OR_RETURN(
      security_manager_,
      SecurityManager::Connect(
          {.firewall = config_.data_plane.name,
           .address = sm.address,
           .tls = sm.tls,
           .deadline = sm.deadline,
           .down = sm.down,
           .known_users = sm.known_users,
           .instruct = [this](
                           const v1::WatchResponse& policy,
                           PolicyWatch::Applied applied) { Instruct(policy, std::move(applied)); },
           .complete =
               [loop](std::function<void()> closure) { loop->Complete(std::move(closure)); }}));
  view_.emplace(ControlViewParts{config_, *plane_, *pinholes_, *path_, *security_manager_, rules_,
                                 [this] { return ReloadRules(); }, *data_plane_view_});
  CallMonitorPorts ports{*path_,  *pinholes_, *calls_, *security_manager_, MonotonicNanoseconds,
                         &*view_, &rules_};
  monitor_ = std::make_unique<CallMonitor>(config_.calls, std::move(ports));
  RETURN_IF_ERROR(monitor_->Adopt());
  if (plane_->adopted()) {
    spdlog::info("took over {} calls of an earlier agent",
                 monitor_->counters()[CallEvent::calls_adopted]);
  }
  view_->ShowCalls(monitor_.get());
  ApplicationGatewayOptions gateway;
  gateway.socket_path = config_.control_socket;
  ASSIGN_OR_RETURN(gateway_, ApplicationGateway::Start(gateway, {&*view_, &*data_plane_view_},
                                                       [loop](std::function<void()> closure) {
                                                         return loop->Post(std::move(closure));
                                                       }));
  view_->TellMonitors(&gateway_->events());

  ASSIGN_OR_RETURN(drops_, DropEvents::Open(plane_->events_fd(), [this](const stem_event& event) {
                     view_->Observe(event);
                   }));
  RETURN_IF_ERROR(loop->Watch(drops_->fd(), [this] {
    if (const absl::Status status = drops_->Drain(); !status.ok()) {
      spdlog::error("{}", status.ToString());
    }
  }));
  RETURN_IF_ERROR(
      path_->Serve(*loop, [this](Datagram datagram) { monitor_->Handle(std::move(datagram)); }));
  return loop->Every(kTick, [this] {
    monitor_->Tick();
    path_->Tick(MonotonicNanoseconds());
    instructions_->Tick(Moment::Now());
    TellAgainWhatIsFollowed();
    data_plane_view_->Tick(MonotonicNanoseconds());
  });
}

absl::Status Agent::WatchSignals() {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGTERM);
  sigaddset(&wanted, SIGINT);
  sigaddset(&wanted, SIGHUP);
  signals_ = UniqueFd(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.valid()) return ErrnoStatus(errno, "watching signals");
  return loop_->Watch(signals_.get(), [this] {
    signalfd_siginfo info{};
    if (read(signals_.get(), &info, sizeof(info)) != sizeof(info)) return;
    if (info.ssi_signo == SIGHUP) {
      spdlog::info("SIGHUP from process {}: reading the rules again", info.ssi_pid);
      return ReloadRulesAside();
    }
    spdlog::info("{} from process {}: stopping", strsignal(static_cast<int>(info.ssi_signo)),
                 info.ssi_pid);
    loop_->Stop();
  });
}

absl::Status Agent::Run() {
  spdlog::info("ready: instance {}, control socket {}", config_.data_plane.name,
               config_.control_socket);
  const absl::Status served = loop_->Run();
  view_->TellMonitors(nullptr);
  gateway_->Stop();
  if (reloader_.joinable()) reloader_.join();
  guard_loader_.reset();
  if (config_.on_exit == OnExit::kKeep) {
    spdlog::info("the data plane stays in the kernel (on_exit: keep): calls go on");
    return served;
  }
  path_.reset();
  const absl::Status removed = RemoveDataPlane();
  if (removed.ok()) spdlog::info("data plane removed (on_exit: remove)");
  return served.ok() ? removed : served;
}

}  // namespace stem
