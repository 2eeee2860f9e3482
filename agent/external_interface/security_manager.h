// SPDX-License-Identifier: Apache-2.0
// The security manager, asked over gRPC: decisions on calls, and the policy it keeps us supplied
// with (DESIGN: Firewall.Decide, Firewall.Watch).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "agent/external_interface/decision_point.h"
#include "agent/external_interface/policy_watch.h"
#include "agent/external_interface/sm_down.h"
#include "common/address.h"
#include "common/tls/tls_files.h"
#include "stem/v1/firewall.grpc.pb.h"

namespace stem {

struct SecurityManagerOptions {
  std::string firewall;  // instance name
  Endpoint address;
  TlsFiles tls;
  std::chrono::nanoseconds deadline{};
  SmDown down = SmDown::kRefuse;
  size_t known_users = 0;  // a policy with more is refused
  // Puts the instructions of a policy into force, as PolicyWatch::Apply.
  PolicyWatch::Apply instruct;
  // Runs a closure on the signalling thread; never turned away (EventLoop::Complete).
  std::function<void(std::function<void()>)> complete;
};

struct SecurityManagerState {
  bool connected = false;      // the policy stream stands
  std::string policy_version;  // in force; empty before the first
};

// Lives on the signalling thread; gRPC's own threads only hand over results.
class SecurityManager : public DecisionPoint {
 public:
  // Connects in the background. Errors are those of the TLS files.
  static absl::StatusOr<std::unique_ptr<SecurityManager>> Connect(SecurityManagerOptions options);
  // Ends the stream and waits for decisions under way; their callbacks are not called any more.
  ~SecurityManager() override;

  void Decide(const CallQuestion& question, Callback done) override;
  SecurityManagerState State() const;
  // Opens the policy stream anew, which brings the policy again and tells what became of it.
  void WatchAnew() { watch_->Restart(); }

 private:
  struct Pending;
  struct InFlight;
  SecurityManager(SecurityManagerOptions options, const std::shared_ptr<grpc::Channel>& channel);
  void Finish(Pending& pending);
  CallDecision WithoutSm(const CallQuestion& question, const std::string& why) const;
  void ApplyPolicy(const v1::WatchResponse& policy, PolicyWatch::Applied applied);
  absl::Status TakeKnownUsers(const v1::WatchResponse& policy);

  const SecurityManagerOptions options_;
  std::unique_ptr<v1::Firewall::Stub> stub_;
  absl::flat_hash_set<std::string> known_users_;
  std::string policy_version_;
  bool sm_was_down_ = false;  // so that the log says it once
  // Outlives this object in the callbacks that are still to come.
  std::shared_ptr<InFlight> in_flight_;
  std::unique_ptr<PolicyWatch> watch_;
};

}  // namespace stem
