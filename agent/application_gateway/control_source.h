// SPDX-License-Identifier: Apache-2.0
// What the control service may ask of the agent, and the way onto the thread that may answer.
#pragma once

#include <functional>
#include <string_view>

#include "absl/status/statusor.h"
#include "stem/v1/control.pb.h"

namespace stem {

// Posts a closure to the signalling thread, which owns every call and every dynamic map entry.
// Returns at once: true when the closure will be run unless the agent stops first, false when it
// cannot be taken (queue full, or the agent is stopping). Callable from any thread.
using Executor = std::function<bool(std::function<void()>)>;

enum class EndedCalls { kLeftOut, kIncluded };

// The agent's answers, in the terms of proto/stem/v1/control.proto. Every method is called on the
// signalling thread only, so implementations need no locks; none may block. An error's code and
// message reach the operator unchanged. Strings may hold any bytes a SIP message brought along: the
// service makes them valid UTF-8 before they are sent.
class ControlSource {
 public:
  virtual ~ControlSource() = default;

  virtual absl::StatusOr<v1::AgentStatus> Status() = 0;

  // Without ladders and pinholes.
  virtual absl::StatusOr<v1::ListCallsResponse> Calls(EndedCalls ended) = 0;

  // With its ladder and pinholes. `id` is the call's hexadecimal id, a prefix of it, or a whole
  // Call-ID. NOT_FOUND, or FAILED_PRECONDITION when a prefix fits several calls.
  virtual absl::StatusOr<v1::Call> FindCall(std::string_view id) = 0;

  virtual absl::StatusOr<v1::ListPinholesResponse> Pinholes() = 0;

  // Every counter, those at zero too.
  virtual absl::StatusOr<v1::GetCountersResponse> Counters() = 0;

  // The static rules in force, with their counters.
  virtual absl::StatusOr<v1::ListRulesResponse> Rules() = 0;

  // Reads the rules again. The one method that is called on any thread and may take its time.
  virtual absl::StatusOr<v1::ReloadRulesResponse> ReloadRules() = 0;
};

}  // namespace stem
