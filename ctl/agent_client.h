// SPDX-License-Identifier: Apache-2.0
// stemctl's way to the agent on this host: which socket, and the questions over it.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "ctl/exit_code.h"
#include "stem/v1/control.grpc.pb.h"
#include "stem/v1/dataplane.grpc.pb.h"

namespace stem::ctl {

// What the command line and the environment say about the agent; empty where they say nothing.
struct AgentChoice {
  std::string path;  // --agent, else STEM_AGENT
  std::string name;  // --name, else STEM_NAME
};

// Command line before environment, and within each the path before the name.
AgentChoice ChooseAgent(const std::string& agent_option, const std::string& name_option);

// The socket that the choice means. Without a choice: the only one of DIRECTORY/*/agent.sock, or
// else that of the instance "stem". INVALID_ARGUMENT when there are several and none is "stem".
absl::StatusOr<std::string> AgentSocket(const AgentChoice& choice,
                                        const std::string& directory = "/run/stem");

class AgentClient {
 public:
  using Stub = v1::Control::StubInterface;
  using DataPlaneStub = v1::DataPlane::StubInterface;

  // UNAVAILABLE, with what to do about it, when nobody answers on the socket. `timeout` is the
  // deadline of each question.
  static absl::StatusOr<AgentClient> Connect(const std::string& socket,
                                             std::chrono::milliseconds timeout);

  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                            Response*),
                               const Request& request) {
    return AskOn(*stub_, method, request);
  }
  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(grpc::Status (DataPlaneStub::*method)(grpc::ClientContext*,
                                                                     const Request&, Response*),
                               const Request& request) {
    return AskOn(*data_plane_, method, request);
  }

  Stub& stub() { return *stub_; }

  // The agent's refusal, or its silence, as a status for the operator.
  absl::Status Explain(const grpc::Status& status) const;

 private:
  AgentClient(std::string socket, std::chrono::milliseconds timeout);

  template <typename Service, typename Request, typename Response>
  absl::StatusOr<Response> AskOn(Service& service,
                                 grpc::Status (Service::*method)(grpc::ClientContext*,
                                                                 const Request&, Response*),
                                 const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout_);
    Response response;
    const grpc::Status status = (service.*method)(&context, request, &response);
    if (!status.ok()) return Explain(status);
    return response;
  }

  std::string socket_;
  std::chrono::milliseconds timeout_;
  std::unique_ptr<Stub> stub_;
  std::unique_ptr<DataPlaneStub> data_plane_;
};

}  // namespace stem::ctl
