// SPDX-License-Identifier: Apache-2.0
#include "ctl/sm_client.h"

#include <cstdlib>
#include <string_view>
#include <utility>

#include "common/tls/sm_channel.h"
#include "ctl/exit_code.h"
#include "fmt/format.h"

namespace stem::ctl {
namespace {

std::string OrFromEnvironment(std::string option, const char* name) {
  if (!option.empty()) return option;
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread
  return value == nullptr ? std::string() : value;
}

bool Mentions(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

SmClient::SmClient(std::string endpoint, std::string tls_directory,
                   std::chrono::milliseconds timeout, std::unique_ptr<Stub> stub)
    : endpoint_(std::move(endpoint)),
      tls_directory_(std::move(tls_directory)),
      timeout_(timeout),
      stub_(std::move(stub)) {}

absl::StatusOr<SmClient> SmClient::Make(std::string endpoint, std::string tls_directory,
                                        std::chrono::milliseconds timeout) {
  endpoint = OrFromEnvironment(std::move(endpoint), "STEM_SM");
  tls_directory = OrFromEnvironment(std::move(tls_directory), "STEM_TLS");
  if (endpoint.empty()) {
    return absl::InvalidArgumentError(
        "which security manager? name it with --sm ADDRESS:PORT or STEM_SM");
  }
  if (tls_directory.empty()) {
    return absl::InvalidArgumentError(
        "the security manager wants a certificate: name the directory of an administrator's "
        "tls.crt, tls.key and ca.crt with --tls DIR or STEM_TLS");
  }
  const TlsFiles files{.certificate = tls_directory + "/tls.crt",
                       .key = tls_directory + "/tls.key",
                       .ca = tls_directory + "/ca.crt"};
  const auto channel = MakeSmChannel(files, Role::kAdministrator, endpoint);
  if (!channel.ok()) {
    if (channel.status().code() == absl::StatusCode::kInvalidArgument) return channel.status();
    return absl::UnavailableError(fmt::format("no TLS with the security manager: {}",
                                              std::string(channel.status().message())));
  }
  return SmClient(std::move(endpoint), std::move(tls_directory), timeout,
                  v1::Admin::NewStub(*channel));
}

absl::Status SmClient::Explain(const grpc::Status& status) const {
  const std::string& text = status.error_message();
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return absl::DeadlineExceededError(
        fmt::format("the security manager on {} did not answer within {} ms: is the address right "
                    "and no firewall in between? --timeout allows more",
                    endpoint_, timeout_.count()));
  }
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE) return FromPeer(status);
  if (Mentions(text, "Connection refused")) {
    return absl::UnavailableError(fmt::format(
        "no security manager listens on {}: start stem-sm, or name another with --sm", endpoint_));
  }
  if (Mentions(text, "andshake") || Mentions(text, "SSL")) {
    return absl::UnavailableError(
        fmt::format("TLS with {} failed: {}; it must be a security manager with a certificate of "
                    "the CA in {}/ca.crt",
                    endpoint_, text, tls_directory_));
  }
  if (Mentions(text, "ocket closed") || Mentions(text, "reset by peer")) {
    // With TLS 1.3 the client's certificate is judged when the client believes the handshake over.
    return absl::UnavailableError(
        fmt::format("{} closed the connection: it does not accept the certificate {}/tls.crt, or "
                    "is no security manager",
                    endpoint_, tls_directory_));
  }
  return absl::UnavailableError(
      fmt::format("the security manager on {} cannot be reached: {}", endpoint_, text));
}

}  // namespace stem::ctl
