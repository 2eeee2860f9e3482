// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/application_gateway/fake_agent.h"

#include <future>
#include <utility>

#include "fmt/format.h"
#include "gtest/gtest.h"

namespace stem {

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

FakeAgent::FakeAgent(ApplicationGatewayOptions options) : socket(directory / "run/agent.sock") {
  source.expected_thread = signalling.id();
  options.socket_path = socket;
  auto started = ApplicationGateway::Start(options, &source, [this](std::function<void()> closure) {
    return signalling.Post(std::move(closure));
  });
  if (!started.ok()) {
    ADD_FAILURE() << started.status();
    return;
  }
  gateway = *std::move(started);
}

FakeAgent::~FakeAgent() {
  gateway.reset();
  EXPECT_EQ(source.wrong_thread.load(), 0) << "the agent's state was read on a gRPC thread";
}

}  // namespace stem
