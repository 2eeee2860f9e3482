// SPDX-License-Identifier: Apache-2.0
#include "agent/application_gateway/control_service.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "common/utf8.h"
#include "fmt/format.h"
#include "google/protobuf/message.h"

namespace stem {
namespace {

using std::chrono::milliseconds;

// How long a monitor waits for an event before it looks whether its reader has gone; hence also how
// long the place of a reader that vanished stays taken.
constexpr milliseconds kLookAround{200};

grpc::Status ToGrpc(const absl::Status& status) {
  // Both libraries use the canonical codes.
  return {static_cast<grpc::StatusCode>(status.code()), ToValidUtf8(std::string(status.message()))};
}

// Text from SIP messages may hold any bytes, but a proto3 string that is not UTF-8 cannot be parsed
// by whoever receives it: one such INVITE would make every listing unreadable.
void MakeTextValid(google::protobuf::Message* message) {
  using google::protobuf::FieldDescriptor;
  const google::protobuf::Reflection* reflection = message->GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(*message, &fields);
  std::string scratch;
  for (const FieldDescriptor* field : fields) {
    const int count = field->is_repeated() ? reflection->FieldSize(*message, field) : 0;
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (!field->is_repeated()) MakeTextValid(reflection->MutableMessage(message, field));
      for (int i = 0; i < count; ++i) {
        MakeTextValid(reflection->MutableRepeatedMessage(message, field, i));
      }
    } else if (field->type() == FieldDescriptor::TYPE_STRING) {
      if (!field->is_repeated()) {
        const std::string& text = reflection->GetStringReference(*message, field, &scratch);
        if (!IsValidUtf8(text)) reflection->SetString(message, field, ToValidUtf8(text));
      }
      for (int i = 0; i < count; ++i) {
        const std::string& text =
            reflection->GetRepeatedStringReference(*message, field, i, &scratch);
        if (!IsValidUtf8(text)) {
          reflection->SetRepeatedString(message, field, i, ToValidUtf8(text));
        }
      }
    }
  }
}

}  // namespace

ControlService::ControlService(ControlSource* source, Executor executor, EventHub* hub,
                               milliseconds answer_within)
    : source_(source), executor_(std::move(executor)), hub_(hub), answer_within_(answer_within) {}

void ControlService::Stop() {
  const std::lock_guard lock(rendezvous_->mutex);
  rendezvous_->stopping = true;
  rendezvous_->changed.notify_all();
}

template <typename Response>
grpc::Status ControlService::Answer(const grpc::ServerContext& context,
                                    std::function<absl::StatusOr<Response>(ControlSource&)> ask,
                                    Response* response) {
  struct Question {
    std::optional<absl::StatusOr<Response>> answer;
    bool given_up = false;
  };
  const auto question = std::make_shared<Question>();
  const std::shared_ptr<Rendezvous> rendezvous = rendezvous_;
  const bool posted =
      executor_([question, rendezvous, source = source_, ask = std::move(ask)]() mutable {
        {
          const std::lock_guard lock(rendezvous->mutex);
          if (question->given_up || rendezvous->stopping) return;
        }
        absl::StatusOr<Response> answer = ask(*source);  // not under the lock: others may wait
        const std::lock_guard lock(rendezvous->mutex);
        question->answer = std::move(answer);
        rendezvous->changed.notify_all();
      });
  if (!posted) {
    return {grpc::StatusCode::UNAVAILABLE,
            "the agent takes no questions: it is stopping or overloaded"};
  }

  // The asker may want it sooner. A duration, so that a clock that is set does not matter.
  const auto patience = std::min<std::chrono::nanoseconds>(
      answer_within_, context.deadline() - std::chrono::system_clock::now());
  std::unique_lock lock(rendezvous->mutex);
  rendezvous->changed.wait_for(
      lock, patience, [&] { return question->answer.has_value() || rendezvous->stopping; });
  if (!question->answer.has_value()) {
    question->given_up = true;
    if (rendezvous->stopping) return {grpc::StatusCode::UNAVAILABLE, "the agent is stopping"};
    return {grpc::StatusCode::DEADLINE_EXCEEDED,
            fmt::format("agent busy: its signalling thread did not answer within {} ms",
                        answer_within_.count())};
  }
  lock.unlock();
  if (!question->answer->ok()) return ToGrpc(question->answer->status());
  *response = **std::move(question->answer);
  MakeTextValid(response);
  return grpc::Status::OK;
}

grpc::Status ControlService::GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest*,
                                       v1::AgentStatus* response) {
  return Answer<v1::AgentStatus>(
      *context, [](ControlSource& source) { return source.Status(); }, response);
}

grpc::Status ControlService::ListCalls(grpc::ServerContext* context,
                                       const v1::ListCallsRequest* request,
                                       v1::ListCallsResponse* response) {
  const EndedCalls ended = request->include_ended() ? EndedCalls::kIncluded : EndedCalls::kLeftOut;
  return Answer<v1::ListCallsResponse>(
      *context, [ended](ControlSource& source) { return source.Calls(ended); }, response);
}

grpc::Status ControlService::GetCall(grpc::ServerContext* context,
                                     const v1::GetCallRequest* request, v1::Call* response) {
  if (request->id().empty()) {
    return {grpc::StatusCode::INVALID_ARGUMENT,
            "id is empty: give a call's id, a prefix of it, or a whole Call-ID"};
  }
  return Answer<v1::Call>(
      *context, [id = request->id()](ControlSource& source) { return source.FindCall(id); },
      response);
}

grpc::Status ControlService::ListPinholes(grpc::ServerContext* context,
                                          const v1::ListPinholesRequest*,
                                          v1::ListPinholesResponse* response) {
  return Answer<v1::ListPinholesResponse>(
      *context, [](ControlSource& source) { return source.Pinholes(); }, response);
}

grpc::Status ControlService::GetCounters(grpc::ServerContext* context,
                                         const v1::GetCountersRequest*,
                                         v1::GetCountersResponse* response) {
  return Answer<v1::GetCountersResponse>(
      *context, [](ControlSource& source) { return source.Counters(); }, response);
}

grpc::Status ControlService::ListRules(grpc::ServerContext* context, const v1::ListRulesRequest*,
                                       v1::ListRulesResponse* response) {
  return Answer<v1::ListRulesResponse>(
      *context, [](ControlSource& source) { return source.Rules(); }, response);
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
