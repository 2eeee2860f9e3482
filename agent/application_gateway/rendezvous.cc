// SPDX-License-Identifier: Apache-2.0
#include "agent/application_gateway/rendezvous.h"

#include <algorithm>
#include <string>
#include <vector>

#include "common/utf8.h"
#include "fmt/format.h"

namespace stem {

grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), ToValidUtf8(std::string(status.message()))};
}

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

void Rendezvous::Stop() {
  const std::lock_guard lock(shared_->mutex);
  shared_->stopping = true;
  shared_->changed.notify_all();
}

grpc::Status Rendezvous::Wait(const grpc::ServerContext& context, std::function<Shown()> make) {
  struct Question {
    bool answered = false;
    bool given_up = false;
  };
  const auto question = std::make_shared<Question>();
  const bool posted = executor_([question, shared = shared_, make = std::move(make)] {
    {
      const std::lock_guard lock(shared->mutex);
      if (question->given_up || shared->stopping) return;
    }
    const Shown show = make();  // not under the lock: others may wait
    const std::lock_guard lock(shared->mutex);
    show();
    question->answered = true;
    shared->changed.notify_all();
  });
  if (!posted) {
    return {grpc::StatusCode::UNAVAILABLE,
            "the agent takes no questions: it is stopping or overloaded"};
  }

  // The asker may want it sooner. A duration, so that a clock that is set does not matter.
  const auto patience = std::min<std::chrono::nanoseconds>(
      answer_within_, context.deadline() - std::chrono::system_clock::now());
  std::unique_lock lock(shared_->mutex);
  shared_->changed.wait_for(lock, patience,
                            [&] { return question->answered || shared_->stopping; });
  if (question->answered) return grpc::Status::OK;
  question->given_up = true;
  if (shared_->stopping) return {grpc::StatusCode::UNAVAILABLE, "the agent is stopping"};
  return {grpc::StatusCode::DEADLINE_EXCEEDED,
          fmt::format("agent busy: its signalling thread did not answer within {} ms",
                      answer_within_.count())};
}

}  // namespace stem
