// SPDX-License-Identifier: Apache-2.0
#include "common/tls/sm_channel.h"

#include <grpc/impl/codegen/grpc_types.h>

#include "common/address.h"
#include "common/status_macros.h"
#include "common/tls/credentials.h"
#include "fmt/format.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/support/channel_arguments.h"

namespace stem {
namespace {

// Without a scheme gRPC asks DNS even for an address in some forms; with one there is no doubt.
std::string Target(const std::string& endpoint) {
  const absl::StatusOr<Endpoint> parsed = Endpoint::Parse(endpoint);
  if (!parsed.ok()) return fmt::format("dns:///{}", endpoint);
  return fmt::format("{}:{}", parsed->address.is_v4() ? "ipv4" : "ipv6", parsed->ToString());
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeSmChannel(const TlsFiles& files, Role own,
                                                             const std::string& endpoint) {
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> credentials,
                   MakeClientCredentials(files, own));
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);  // also how long one attempt may take
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 5000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // the environment must not reroute decisions
  // Each channel its own connection: gRPC otherwise shares them between equal targets, and a
  // process with two identities must not speak with the other's certificate.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(64 << 20);  // a snapshot names every known user
  return grpc::CreateCustomChannel(Target(endpoint), credentials, arguments);
}

}  // namespace stem
