// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/application_gateway/fake_agent.h"

#include <atomic>
#include <future>
#include <utility>

#include "fmt/format.h"
#include "gtest/gtest.h"

namespace stem {
namespace {

std::atomic<int> handed_over = 0;

}  // namespace

void HandOver() { handed_over.fetch_add(1, std::memory_order_acq_rel); }

SignallingThread::SignallingThread() : thread_([this] { Work(); }) {}

SignallingThread::~SignallingThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool SignallingThread::Post(std::function<void()> closure) {
  const std::lock_guard lock(mutex_);
  if (refuse_) return false;
  closures_.push_back(std::move(closure));
  changed_.notify_all();
  return true;
}

void SignallingThread::Refuse() {
  const std::lock_guard lock(mutex_);
  refuse_ = true;
}

void SignallingThread::Run(std::function<void()> closure) {
  std::promise<void> done;
  ASSERT_TRUE(Post([&] {
    closure();
    done.set_value();
  }));
  done.get_future().wait();
}

void SignallingThread::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !closures_.empty(); });
    if (closures_.empty()) return;
    std::function<void()> closure = std::move(closures_.front());
    closures_.pop_front();
    lock.unlock();
    closure();
    closure = nullptr;
    lock.lock();
  }
}

void ScriptedSource::NoteThread() {
  (void)handed_over.load(std::memory_order_acquire);
  ++asked;
  if (std::this_thread::get_id() != expected_thread) ++wrong_thread;
}

absl::StatusOr<v1::AgentStatus> ScriptedSource::Status() {
  NoteThread();
  return status;
}

absl::StatusOr<v1::ListCallsResponse> ScriptedSource::Calls(EndedCalls ended) {
  NoteThread();
  v1::ListCallsResponse listed;
  for (const v1::Call& call : calls.calls()) {
    if (call.ended_unix_ms() != 0 && ended == EndedCalls::kLeftOut) continue;
    v1::Call* copy = listed.add_calls();
    *copy = call;
    copy->clear_ladder();
    copy->clear_pinholes();
  }
  return listed;
}

absl::StatusOr<v1::Call> ScriptedSource::FindCall(std::string_view id) {
  NoteThread();
  const v1::Call* match = nullptr;
  for (const v1::Call& call : calls.calls()) {
    if (call.call_id() != id && !std::string_view(call.id()).starts_with(id)) continue;
    if (match != nullptr) {
      return absl::FailedPreconditionError(fmt::format("several calls begin with {}", id));
    }
    match = &call;
  }
  if (match == nullptr) return absl::NotFoundError(fmt::format("no call {}", id));
  return *match;
}

absl::StatusOr<v1::ListPinholesResponse> ScriptedSource::Pinholes() {
  NoteThread();
  return pinholes;
}

absl::StatusOr<v1::GetCountersResponse> ScriptedSource::Counters() {
  NoteThread();
  if (before_counters) before_counters(&counters);
  return counters;
}

absl::StatusOr<v1::ListRulesResponse> ScriptedSource::Rules() {
  NoteThread();
  return rules;
}

absl::StatusOr<v1::ReloadRulesResponse> ScriptedSource::ReloadRules() { return reload; }

void ScriptedDataPlane::NoteThread() {
  (void)handed_over.load(std::memory_order_acquire);
  if (std::this_thread::get_id() != expected_thread) ++wrong_thread;
}

absl::StatusOr<v1::ListModulesResponse> ScriptedDataPlane::Modules() { return modules; }

absl::StatusOr<v1::ListModulesResponse> ScriptedDataPlane::SetModule(
    const v1::SetModuleRequest& request) {
  for (v1::Module& module : *modules.mutable_modules()) {
    if (module.name() != request.name()) continue;
    module.set_mode(request.mode());
    return modules;
  }
  return absl::NotFoundError(fmt::format("no module '{}'", request.name()));
}

absl::StatusOr<v1::SimulateResponse> ScriptedDataPlane::Simulate(
    const v1::SimulateRequest& request) {
  v1::SimulateResponse out;
  for (const v1::SimulatedPacket& packet : request.packets()) {
    simulated.push_back(packet);
    *out.add_simulations() = simulation;
  }
  return out;
}

absl::StatusOr<v1::SimulateResponse> ScriptedDataPlane::Complete(const v1::SimulateRequest&,
                                                                 v1::SimulateResponse answer) {
  NoteThread();
  return answer;
}

absl::StatusOr<v1::ListBlocksResponse> ScriptedDataPlane::Blocks() {
  NoteThread();
  return blocks;
}

absl::StatusOr<v1::Block> ScriptedDataPlane::AddBlock(const v1::AddBlockRequest& request) {
  NoteThread();
  v1::Block* block = blocks.add_blocks();
  block->set_source(request.source());
  block->set_destination(request.destination());
  *block->mutable_scopes() = request.scopes();
  block->set_left_ms(request.for_ms() == 0 ? -1 : request.for_ms());
  return *block;
}

absl::StatusOr<v1::Block> ScriptedDataPlane::RemoveBlock(const v1::RemoveBlockRequest& request) {
  NoteThread();
  for (const v1::Block& block : blocks.blocks()) {
    if (block.source() == request.source() && block.destination() == request.destination()) {
      return block;
    }
  }
  return absl::NotFoundError(fmt::format("no block of {}", request.source()));
}

absl::StatusOr<v1::ListThresholdsResponse> ScriptedDataPlane::Thresholds() {
  NoteThread();
  return thresholds;
}

absl::StatusOr<v1::ListPermitsResponse> ScriptedDataPlane::Permits() {
  NoteThread();
  return permits;
}

FakeAgent::FakeAgent(ApplicationGatewayOptions options) : socket(directory / "run/agent.sock") {
  source.expected_thread = signalling.id();
  data_plane.expected_thread = signalling.id();
  options.socket_path = socket;
  auto started = ApplicationGateway::Start(
      options, {&source, &data_plane},
      [this](std::function<void()> closure) { return signalling.Post(std::move(closure)); });
  if (!started.ok()) {
    ADD_FAILURE() << started.status();
    return;
  }
  gateway = *std::move(started);
}

FakeAgent::~FakeAgent() {
  gateway.reset();
  EXPECT_EQ(source.wrong_thread.load() + data_plane.wrong_thread.load(), 0)
      << "the agent's state was read on a gRPC thread";
}

}  // namespace stem
