// SPDX-License-Identifier: Apache-2.0
#include "agent/external_interface/policy_watch.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "common/tls/request_header.h"

namespace stem {
namespace {

constexpr auto kFirstRetry = std::chrono::milliseconds(250);
constexpr auto kLastRetry = std::chrono::milliseconds(4000);
constexpr auto kApplyPatience = std::chrono::milliseconds(100);

absl::Status ToAbsl(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

}  // namespace

// What closures on the signalling thread may still touch when the watch is gone.
struct PolicyWatch::Shared {
  Apply apply;
  bool alive = true;  // signalling thread only
};

PolicyWatch::PolicyWatch(std::unique_ptr<v1::Firewall::Stub> stub, std::string firewall,
                         Complete complete, Apply apply)
    : stub_(std::move(stub)),
      firewall_(std::move(firewall)),
      complete_(std::move(complete)),
      shared_(std::make_shared<Shared>(Shared{std::move(apply)})),
      thread_([this] { Run(); }) {}

PolicyWatch::~PolicyWatch() {
  shared_->alive = false;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }
  stopped_changed_.notify_all();
  thread_.join();
}

void PolicyWatch::Restart() {
  const std::lock_guard lock(mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

bool PolicyWatch::SleepUnlessStopped(std::chrono::milliseconds duration) {
  std::unique_lock lock(mutex_);
  return !stopped_changed_.wait_for(lock, duration, [this] { return stopped_; });
}

void PolicyWatch::Run() {
  std::string in_force;
  std::string last_complaint;
  auto retry = kFirstRetry;
  do {
    const absl::Status ended = Stream(&in_force);
    if (connected_.exchange(false)) retry = kFirstRetry;
    const std::string complaint(ended.message());
    if (complaint != last_complaint && !absl::IsCancelled(ended)) {
      spdlog::warn("policy stream from the security manager ended: {}", ended.ToString());
      last_complaint = complaint;
    }
    retry = std::min(retry * 2, kLastRetry);
  } while (SleepUnlessStopped(retry));
}

absl::Status PolicyWatch::Stream(std::string* in_force) {
  grpc::ClientContext context;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return absl::CancelledError("stopping");
    context_ = &context;
  }
  const auto stream = stub_->Watch(&context);
  v1::WatchRequest request;
  request.set_firewall(firewall_);
  request.set_acknowledged(*in_force);
  v1::WatchResponse policy;
  absl::Status status = FillRequestHeader(request.mutable_header());
  while (status.ok() && stream->Write(request) && stream->Read(&policy)) {
    if (!connected_.exchange(true)) spdlog::info("policy stream from the security manager stands");
    const Outcome outcome = ApplyOnSignallingThread(policy);
    request.Clear();
    if (outcome.status.ok()) {
      *in_force = policy.version();
      request.set_acknowledged(policy.version());
      for (const std::string& one : outcome.not_followed) request.add_not_followed(one);
    } else {
      spdlog::warn("policy {} refused: {}", policy.version(), outcome.status.ToString());
      request.set_refused(policy.version());
      request.set_refusal(std::string(outcome.status.message()));
    }
    status = FillRequestHeader(request.mutable_header());
  }
  if (!status.ok()) context.TryCancel();
  const absl::Status ended = ToAbsl(stream->Finish());
  const std::lock_guard lock(mutex_);
  context_ = nullptr;
  return status.ok() ? ended : status;
}

PolicyWatch::Outcome PolicyWatch::ApplyOnSignallingThread(const v1::WatchResponse& policy) {
  auto result = std::make_shared<std::promise<Outcome>>();
  std::future<Outcome> answer = result->get_future();
  complete_([shared = shared_, policy, result] {
    const auto applied = [result](Outcome outcome) { result->set_value(std::move(outcome)); };
    if (!shared->alive) return applied({absl::CancelledError("stopping"), {}});
    shared->apply(policy, applied);
  });
  while (answer.wait_for(kApplyPatience) != std::future_status::ready) {
    const std::lock_guard lock(mutex_);
    if (stopped_) return {absl::CancelledError("stopping"), {}};
  }
  return answer.get();
}

}  // namespace stem
