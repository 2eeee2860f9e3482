// SPDX-License-Identifier: Apache-2.0
#include "agent/external_interface/security_manager.h"

#include <spdlog/spdlog.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "common/sip_uri.h"
#include "common/status_macros.h"
#include "common/tls/request_header.h"
#include "common/tls/sm_channel.h"
#include "common/utf8.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr int kServiceUnavailable = 503;
constexpr int kForbidden = 403;

// SIP may carry any bytes; a proto3 string that is not UTF-8 is refused by whoever parses it, and a
// caller must not be able to make the security manager look unreachable.
v1::DecideRequest ToRequest(const CallQuestion& question) {
  v1::DecideRequest request;
  request.set_call_id(ToValidUtf8(question.call_id));
  request.set_caller(ToValidUtf8(question.caller));
  request.set_caller_display(ToValidUtf8(question.caller_display));
  request.set_request_uri(ToValidUtf8(question.request_uri));
  request.set_to(ToValidUtf8(question.to));
  request.set_user_agent(ToValidUtf8(question.user_agent));
  for (const std::string& codec : question.codecs) request.add_codecs(ToValidUtf8(codec));
  const auto set = [](v1::Endpoint* out, const Endpoint& endpoint) {
    out->set_address(endpoint.address.ToString());
    out->set_port(endpoint.port);
  };
  set(request.mutable_source(), question.source);
  set(request.mutable_destination(), question.destination);
  return request;
}

// gRPC 1.51 may free its shared callback queue twice when the last channel that used it goes (seen
// under AddressSanitizer, inside grpc_cq_internal_unref). So the first one, an agent's only one,
// stays until the process ends.
void KeepFirst(const std::shared_ptr<grpc::Channel>& channel) {
  static const auto* const kept = new std::shared_ptr<grpc::Channel>(channel);
  (void)kept;
}

// nullopt for a verdict this version does not know.
std::optional<CallDecision> FromResponse(const v1::DecideResponse& response) {
  CallDecision decision;
  decision.why = response.why();
  switch (response.verdict()) {
    case v1::VERDICT_ACCEPT:
      decision.kind = CallDecision::Kind::kAccept;
      return decision;
    case v1::VERDICT_REFUSE: {
      const bool final_failure = response.status() >= 400 && response.status() <= 699;
      decision.kind = CallDecision::Kind::kRefuse;
      decision.status = final_failure ? static_cast<int>(response.status()) : kForbidden;
      decision.reason = response.reason();
      return decision;
    }
    case v1::VERDICT_REDIRECT:
      if (response.contact().empty()) return std::nullopt;
      decision.kind = CallDecision::Kind::kRedirect;
      decision.contact = response.contact();
      return decision;
    case v1::VERDICT_DROP:
      decision.kind = CallDecision::Kind::kDrop;
      return decision;
    default:
      return std::nullopt;
  }
}

}  // namespace

struct SecurityManager::Pending {
  CallQuestion question;
  Callback done;
  grpc::ClientContext context;
  v1::DecideRequest request;
  v1::DecideResponse response;
  grpc::Status status;
};

// The calls gRPC still has in hand.
struct SecurityManager::InFlight {
  bool alive = true;  // signalling thread only
  std::mutex mutex;
  std::condition_variable none_left;
  std::set<std::shared_ptr<Pending>> pending;
};

absl::StatusOr<std::unique_ptr<SecurityManager>> SecurityManager::Connect(
    SecurityManagerOptions options) {
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel,
                   MakeSmChannel(options.tls, Role::kFirewall, options.address.ToString()));
  KeepFirst(channel);
  return std::unique_ptr<SecurityManager>(new SecurityManager(std::move(options), channel));
}

SecurityManager::SecurityManager(SecurityManagerOptions options,
                                 const std::shared_ptr<grpc::Channel>& channel)
    : options_(std::move(options)),
      stub_(v1::Firewall::NewStub(channel)),
      in_flight_(std::make_shared<InFlight>()) {
  watch_ = std::make_unique<PolicyWatch>(
      v1::Firewall::NewStub(channel), options_.firewall, options_.complete,
      [this](const v1::WatchResponse& policy, PolicyWatch::Applied applied) {
        ApplyPolicy(policy, std::move(applied));
      });
}

SecurityManager::~SecurityManager() {
  watch_.reset();
  in_flight_->alive = false;
  std::unique_lock lock(in_flight_->mutex);
  for (const auto& pending : in_flight_->pending) pending->context.TryCancel();
  in_flight_->none_left.wait(lock, [this] { return in_flight_->pending.empty(); });
}

SecurityManagerState SecurityManager::State() const {
  return {watch_->connected(), policy_version_};
}

void SecurityManager::Decide(const CallQuestion& question, Callback done) {
  auto pending = std::make_shared<Pending>();
  pending->question = question;
  pending->done = std::move(done);
  pending->request = ToRequest(question);
  if (const absl::Status status = FillRequestHeader(pending->request.mutable_header());
      !status.ok()) {
    pending->status = grpc::Status(grpc::StatusCode::INTERNAL, std::string(status.message()));
    options_.complete([this, pending, in_flight = in_flight_] {
      if (in_flight->alive) Finish(*pending);
    });
    return;
  }
  pending->context.set_deadline(
      std::chrono::system_clock::now() +
      std::chrono::duration_cast<std::chrono::microseconds>(options_.deadline));
  {
    const std::lock_guard lock(in_flight_->mutex);
    in_flight_->pending.insert(pending);
  }
  stub_->async()->Decide(
      &pending->context, &pending->request, &pending->response,
      [this, pending, in_flight = in_flight_, complete = options_.complete](grpc::Status status) {
        pending->status = std::move(status);
        complete([this, pending, in_flight] {
          if (in_flight->alive) Finish(*pending);
        });
        const std::lock_guard lock(in_flight->mutex);
        in_flight->pending.erase(pending);
        if (in_flight->pending.empty()) in_flight->none_left.notify_all();
      });
}

void SecurityManager::Finish(Pending& pending) {
  if (!pending.status.ok()) {
    const std::string why = pending.status.error_message();
    if (!std::exchange(sm_was_down_, true)) {
      spdlog::warn("the security manager at {} does not decide ({}): new calls follow sm_down",
                   options_.address.ToString(), why);
    }
    pending.done(WithoutSm(pending.question, why));
    return;
  }
  if (std::exchange(sm_was_down_, false)) spdlog::info("the security manager decides again");
  std::optional<CallDecision> decision = FromResponse(pending.response);
  if (!decision) {
    spdlog::error("the security manager gave a verdict this version does not know: {}",
                  pending.response.ShortDebugString());
    decision = WithoutSm(pending.question, "unknown verdict");
  }
  pending.done(*std::move(decision));
}

CallDecision SecurityManager::WithoutSm(const CallQuestion& question,
                                        const std::string& why) const {
  CallDecision decision;
  decision.from_sm = false;
  bool accept = options_.down == SmDown::kAccept;
  if (options_.down == SmDown::kKnownUsers) {
    const absl::StatusOr<std::string> user = AddressOfRecord(question.request_uri);
    accept = user.ok() && known_users_.contains(*user);
  }
  if (accept) {
    decision.kind = CallDecision::Kind::kAccept;
    decision.why = fmt::format("security manager down ({}): sm_down accepts", why);
  } else {
    decision.kind = CallDecision::Kind::kRefuse;
    decision.status = kServiceUnavailable;
    decision.reason = "Service Unavailable";
    decision.why = fmt::format("security manager down ({}): sm_down refuses", why);
  }
  return decision;
}

void SecurityManager::ApplyPolicy(const v1::WatchResponse& policy, PolicyWatch::Applied applied) {
  // Instructions are followed whatever becomes of the users.
  options_.instruct(policy, [this, version = policy.version(), applied = std::move(applied),
                             taken = TakeKnownUsers(policy), in_flight = in_flight_,
                             complete = options_.complete](PolicyWatch::Outcome outcome) {
    if (outcome.status.ok()) outcome.status = taken;
    complete([this, version, applied, in_flight, outcome = std::move(outcome)] {
      if (in_flight->alive && outcome.status.ok()) policy_version_ = version;
      applied(outcome);
    });
  });
}

absl::Status SecurityManager::TakeKnownUsers(const v1::WatchResponse& policy) {
  if (static_cast<size_t>(policy.known_users_size()) > options_.known_users) {
    return absl::ResourceExhaustedError(fmt::format("{} known users, limits.known_users is {}",
                                                    policy.known_users_size(),
                                                    options_.known_users));
  }
  absl::flat_hash_set<std::string> users;
  for (const std::string& uri : policy.known_users()) {
    ASSIGN_OR_RETURN(std::string user, AddressOfRecord(uri));
    users.insert(std::move(user));
  }
  known_users_ = std::move(users);
  return absl::OkStatus();
}

}  // namespace stem
