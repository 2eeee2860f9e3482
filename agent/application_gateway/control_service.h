// SPDX-License-Identifier: Apache-2.0
// The Control service of proto/stem/v1/control.proto, carried from gRPC's threads to the signalling
// thread and back.
#pragma once

#include <chrono>

#include "agent/application_gateway/control_source.h"
#include "agent/application_gateway/event_hub.h"
#include "agent/application_gateway/rendezvous.h"
#include "stem/v1/control.grpc.pb.h"

namespace stem {

class ControlService final : public v1::Control::Service {
 public:
  // `source` and `hub` outlive the service; `source` also outlives the last closure that
  // `executor` runs. An answer that takes longer than `answer_within` is given up.
  ControlService(ControlSource* source, Executor executor, EventHub* hub,
                 std::chrono::milliseconds answer_within);

  // Ends every wait for the signalling thread with UNAVAILABLE, now and for ever after. The calls
  // of Monitor end when the hub is closed.
  void Stop() { rendezvous_.Stop(); }

  grpc::Status GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest* request,
                         v1::AgentStatus* response) override;
  grpc::Status ListCalls(grpc::ServerContext* context, const v1::ListCallsRequest* request,
                         v1::ListCallsResponse* response) override;
  grpc::Status GetCall(grpc::ServerContext* context, const v1::GetCallRequest* request,
                       v1::Call* response) override;
  grpc::Status ListPinholes(grpc::ServerContext* context, const v1::ListPinholesRequest* request,
                            v1::ListPinholesResponse* response) override;
  grpc::Status GetCounters(grpc::ServerContext* context, const v1::GetCountersRequest* request,
                           v1::GetCountersResponse* response) override;
  grpc::Status ListRules(grpc::ServerContext* context, const v1::ListRulesRequest* request,
                         v1::ListRulesResponse* response) override;
  grpc::Status ReloadRules(grpc::ServerContext* context, const v1::ReloadRulesRequest* request,
                           v1::ReloadRulesResponse* response) override;
  grpc::Status Monitor(grpc::ServerContext* context, const v1::MonitorRequest* request,
                       grpc::ServerWriter<v1::Event>* writer) override;

 private:
  ControlSource* const source_;
  EventHub* const hub_;
  Rendezvous rendezvous_;
};

}  // namespace stem
