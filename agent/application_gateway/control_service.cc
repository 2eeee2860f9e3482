// SPDX-License-Identifier: Apache-2.0
#include "agent/application_gateway/control_service.h"

#include <utility>

namespace stem {
namespace {

using std::chrono::milliseconds;

// How long a monitor waits for an event before it looks whether its reader has gone; hence also how
// long the place of a reader that vanished stays taken.
constexpr milliseconds kLookAround{200};

}  // namespace

ControlService::ControlService(ControlSource* source, Executor executor, EventHub* hub,
                               milliseconds answer_within)
    : source_(source), hub_(hub), rendezvous_(std::move(executor), answer_within) {}

grpc::Status ControlService::GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest*,
                                       v1::AgentStatus* response) {
  return rendezvous_.Answer<v1::AgentStatus>(
      *context, [source = source_] { return source->Status(); }, response);
}

grpc::Status ControlService::ListCalls(grpc::ServerContext* context,
                                       const v1::ListCallsRequest* request,
                                       v1::ListCallsResponse* response) {
  const EndedCalls ended = request->include_ended() ? EndedCalls::kIncluded : EndedCalls::kLeftOut;
  return rendezvous_.Answer<v1::ListCallsResponse>(
      *context, [source = source_, ended] { return source->Calls(ended); }, response);
}

grpc::Status ControlService::GetCall(grpc::ServerContext* context,
                                     const v1::GetCallRequest* request, v1::Call* response) {
  if (request->id().empty()) {
    return {grpc::StatusCode::INVALID_ARGUMENT,
            "id is empty: give a call's id, a prefix of it, or a whole Call-ID"};
  }
  return rendezvous_.Answer<v1::Call>(
      *context, [source = source_, id = request->id()] { return source->FindCall(id); }, response);
}

grpc::Status ControlService::ListPinholes(grpc::ServerContext* context,
                                          const v1::ListPinholesRequest*,
                                          v1::ListPinholesResponse* response) {
  return rendezvous_.Answer<v1::ListPinholesResponse>(
      *context, [source = source_] { return source->Pinholes(); }, response);
}

grpc::Status ControlService::GetCounters(grpc::ServerContext* context,
                                         const v1::GetCountersRequest*,
                                         v1::GetCountersResponse* response) {
  return rendezvous_.Answer<v1::GetCountersResponse>(
      *context, [source = source_] { return source->Counters(); }, response);
}

grpc::Status ControlService::ListRules(grpc::ServerContext* context, const v1::ListRulesRequest*,
                                       v1::ListRulesResponse* response) {
  return rendezvous_.Answer<v1::ListRulesResponse>(
      *context, [source = source_] { return source->Rules(); }, response);
}

grpc::Status ControlService::ReloadRules(grpc::ServerContext*, const v1::ReloadRulesRequest*,
                                         v1::ReloadRulesResponse* response) {
  absl::StatusOr<v1::ReloadRulesResponse> done = source_->ReloadRules();
  if (!done.ok()) return ToGrpc(done.status());
  *response = *std::move(done);
  return grpc::Status::OK;
}

grpc::Status ControlService::Monitor(grpc::ServerContext* context, const v1::MonitorRequest*,
                                     grpc::ServerWriter<v1::Event>* writer) {
  absl::StatusOr<EventHub::Subscription> subscription = hub_->Subscribe();
  if (!subscription.ok()) return ToGrpc(subscription.status());
  // Tells the reader that from now on no event passes by unseen.
  writer->SendInitialMetadata();
  v1::Event event;
  while (!context->IsCancelled()) {
    switch (subscription->Next(&event, kLookAround)) {
      case EventHub::Subscription::Wait::kEvent:
        MakeTextValid(&event);
        if (!writer->Write(event)) return grpc::Status::CANCELLED;
        break;
      case EventHub::Subscription::Wait::kNothingYet:
        break;
      case EventHub::Subscription::Wait::kClosed:
        return {grpc::StatusCode::UNAVAILABLE, "the agent is stopping"};
    }
  }
  return grpc::Status::CANCELLED;
}

}  // namespace stem
