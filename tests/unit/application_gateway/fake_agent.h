// SPDX-License-Identifier: Apache-2.0
// An agent without packets: a signalling thread, scripted answers and a real control socket.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/application_gateway/application_gateway.h"
#include "agent/application_gateway/control_source.h"
#include "agent/application_gateway/data_plane_source.h"
#include "tests/unit/scratch_folder.h"

namespace stem {

// Runs closures one after the other on a thread of its own, as the agent's signalling thread does.
class SignallingThread {
 public:
  SignallingThread();
  ~SignallingThread();  // runs what was posted, then ends

  // False once `refuse` was called.
  bool Post(std::function<void()> closure);
  void Refuse();
  // Runs `closure` there and waits for it.
  void Run(std::function<void()> closure);
  std::thread::id id() const { return thread_.get_id(); }

 private:
  void Work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> closures_;
  bool refuse_ = false;
  bool ending_ = false;
  std::thread thread_;
};

// Answers what the test has put in; counts questions asked on a wrong thread.
class ScriptedSource : public ControlSource {
 public:
  absl::StatusOr<v1::AgentStatus> Status() override;
  absl::StatusOr<v1::ListCallsResponse> Calls(EndedCalls ended) override;
  absl::StatusOr<v1::Call> FindCall(std::string_view id) override;
  absl::StatusOr<v1::ListPinholesResponse> Pinholes() override;
  absl::StatusOr<v1::GetCountersResponse> Counters() override;
  absl::StatusOr<v1::ListRulesResponse> Rules() override;
  absl::StatusOr<v1::ReloadRulesResponse> ReloadRules() override;

  std::thread::id expected_thread;
  std::atomic<int> wrong_thread = 0;
  std::atomic<int> asked = 0;
  v1::AgentStatus status;
  v1::ListCallsResponse calls;  // those with ended_unix_ms set are the ended ones
  v1::ListPinholesResponse pinholes;
  v1::GetCountersResponse counters;
  v1::ListRulesResponse rules;
  absl::StatusOr<v1::ReloadRulesResponse> reload = v1::ReloadRulesResponse();
  std::function<void(v1::GetCountersResponse*)> before_counters;  // may be empty

 private:
  void NoteThread();
};

// The same for the data plane. Modules and simulation are answered on gRPC's threads.
class ScriptedDataPlane : public DataPlaneSource {
 public:
  absl::StatusOr<v1::ListModulesResponse> Modules() override;
  absl::StatusOr<v1::ListModulesResponse> SetModule(const v1::SetModuleRequest& request) override;
  absl::StatusOr<v1::SimulateResponse> Simulate(const v1::SimulateRequest& request) override;
  absl::StatusOr<v1::SimulateResponse> Complete(const v1::SimulateRequest& request,
                                                v1::SimulateResponse answer) override;
  absl::StatusOr<v1::ListBlocksResponse> Blocks() override;
  absl::StatusOr<v1::Block> AddBlock(const v1::AddBlockRequest& request) override;
  absl::StatusOr<v1::Block> RemoveBlock(const v1::RemoveBlockRequest& request) override;
  absl::StatusOr<v1::ListThresholdsResponse> Thresholds() override;
  absl::StatusOr<v1::ListPermitsResponse> Permits() override;

  std::thread::id expected_thread;
  std::atomic<int> wrong_thread = 0;
  v1::ListModulesResponse modules;
  v1::ListBlocksResponse blocks;
  v1::ListThresholdsResponse thresholds;
  v1::ListPermitsResponse permits;
  v1::Simulation simulation;                   // the answer for each packet
  std::vector<v1::SimulatedPacket> simulated;  // those asked about

 private:
  void NoteThread();
};

// What a test writes into an agent before it asks is read by the signalling thread: gRPC hands over
// from the one to the other, which ThreadSanitizer does not see. Before a question.
void HandOver();

struct FakeAgent {
  // Fails the test when the socket cannot be opened.
  explicit FakeAgent(ApplicationGatewayOptions options = {});
  ~FakeAgent();

  ScratchFolder directory;
  std::string socket;  // directory/run/agent.sock
  ScriptedSource source;
  ScriptedDataPlane data_plane;
  SignallingThread signalling;
  std::unique_ptr<ApplicationGateway> gateway;
};

}  // namespace stem
