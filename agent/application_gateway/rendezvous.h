// SPDX-License-Identifier: Apache-2.0
// How a gRPC thread asks the signalling thread something and waits for the answer: shared by the
// services of the control socket.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/application_gateway/control_source.h"
#include "google/protobuf/message.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"

namespace stem {

// Both libraries use the canonical codes; the text is made valid UTF-8.
grpc::Status ToGrpc(const absl::Status& status);

// Text from SIP messages may hold any bytes, but a proto3 string that is not UTF-8 cannot be parsed
// by whoever receives it: one such INVITE would make every listing unreadable.
void MakeTextValid(google::protobuf::Message* message);

class Rendezvous {
 public:
  // An answer that takes longer than `answer_within` is given up.
  Rendezvous(Executor executor, std::chrono::milliseconds answer_within)
      : executor_(std::move(executor)), answer_within_(answer_within) {}

  // Ends every wait with UNAVAILABLE, now and for ever after.
  void Stop();

  // Runs `ask` on the signalling thread and puts its answer into *response. What `ask` uses must
  // outlive the last closure that the executor runs.
  template <typename Response>
  grpc::Status Answer(const grpc::ServerContext& context,
                      std::function<absl::StatusOr<Response>()> ask, Response* response) {
    const auto answer = std::make_shared<std::optional<absl::StatusOr<Response>>>();
    // Made without the lock, others may wait; shown to the asker under it.
    const auto make = [answer, ask = std::move(ask)] {
      return [answer, made = ask()]() mutable { *answer = std::move(made); };
    };
    const grpc::Status waited = Wait(context, [make] { return Shown(make()); });
    if (!waited.ok()) return waited;
    if (!(*answer)->ok()) return ToGrpc((*answer)->status());
    *response = ***answer;
    MakeTextValid(response);
    return grpc::Status::OK;
  }

 private:
  using Shown = std::function<void()>;
  // What a waiting gRPC thread and the signalling thread share. Held by both through a shared_ptr,
  // because either may be the last to let go: the waiter gives up, or the closure is never run.
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    bool stopping = false;
  };

  // Runs `make` there, then what it returned under the lock. OK when both have been run.
  grpc::Status Wait(const grpc::ServerContext& context, std::function<Shown()> make);

  const Executor executor_;
  const std::chrono::milliseconds answer_within_;
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace stem
