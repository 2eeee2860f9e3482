// SPDX-License-Identifier: Apache-2.0
#include "sm/firewall_service.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "common/status_macros.h"
#include "common/utf8.h"

namespace stem {

absl::StatusOr<v1::DecideResponse> FirewallService::Decided(
    const grpc::CallbackServerContext& context, const v1::DecideRequest& request) {
  ASSIGN_OR_RETURN(const Peer peer, entrance_->Check(context, {Role::kFirewall}, request.header()));
  ASSIGN_OR_RETURN(v1::DecideResponse response, policy_->Decide(request));
  ++decisions_;
  spdlog::debug("{}: {} calls {}: {} ({})", peer.identity, ToPrintable(request.caller()),
                ToPrintable(request.request_uri()), v1::Verdict_Name(response.verdict()),
                response.why());
  return response;
}

grpc::ServerUnaryReactor* FirewallService::Decide(grpc::CallbackServerContext* context,
                                                  const v1::DecideRequest* request,
                                                  v1::DecideResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (context->IsCancelled()) {
    reactor->Finish({grpc::StatusCode::CANCELLED, "nobody waits for this any more"});
    return reactor;
  }
  absl::StatusOr<v1::DecideResponse> decided = Decided(*context, *request);
  const absl::Status status = decided.status();
  if (status.ok()) *response = *std::move(decided);
  reactor->Finish(ToGrpc(status));
  return reactor;
}

WatchReactor* FirewallService::Watch(grpc::CallbackServerContext* context) {
  return OpenWatchStream(*context, entrance_, feed_);
}

}  // namespace stem
