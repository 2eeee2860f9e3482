// SPDX-License-Identifier: Apache-2.0
#include "common/tls/credentials.h"

#include <stdlib.h>

#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_certificate_verifier.h"
#include "grpcpp/security/tls_credentials_options.h"

namespace stem {
namespace {

namespace tls = grpc::experimental;

// gRPC 1.51 always allows TLS 1.2 and has no setter for the minimum version. It does read the
// cipher list of TLS 1.2 from the environment, once, before its first handshake; the suites of
// TLS 1.3 are not in that list. A pre-shared-key suite can never be agreed on by peers that have
// certificates and no such key, so TLS 1.3 is all that is left. credentials_test proves it against
// openssl.
void LeaveOnlyTls13() {
  static std::once_flag once;
  std::call_once(once, [] { setenv("GRPC_SSL_CIPHER_SUITES", "PSK-AES256-GCM-SHA384", 1); });
}

// Lets the client speak to security managers only.
class SecurityManagerVerifier : public tls::ExternalCertificateVerifier {
 public:
  bool Verify(tls::TlsCustomVerificationCheckRequest* request, std::function<void(grpc::Status)>,
              grpc::Status* sync_status) override {
    *sync_status = Judge(*request);
    return true;
  }
  void Cancel(tls::TlsCustomVerificationCheckRequest*) override {}  // Verify never waits

 private:
  static grpc::Status Judge(const tls::TlsCustomVerificationCheckRequest& request) {
    std::string seen = "no urn:stem identity";
    for (const grpc::string_ref& name : request.uri_names()) {
      const std::string_view uri(name.data(), name.size());
      if (!IsPeerUri(uri)) continue;
      const absl::StatusOr<Peer> peer = ParsePeerUri(uri);
      if (peer.ok() && peer->role == Role::kSecurityManager) return grpc::Status::OK;
      seen = uri;
    }
    return {
        grpc::StatusCode::UNAUTHENTICATED,
        fmt::format("the server's certificate carries {}, not a security manager's role", seen)};
  }
};

std::shared_ptr<tls::FileWatcherCertificateProvider> Watch(const TlsFiles& files) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(files.reload).count();
  return std::make_shared<tls::FileWatcherCertificateProvider>(
      files.key, files.certificate, files.ca, static_cast<unsigned>(seconds));
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const TlsFiles& files) {
  RETURN_IF_ERROR(CheckTlsFiles(files, Role::kSecurityManager).status());
  LeaveOnlyTls13();
  tls::TlsServerCredentialsOptions options(Watch(files));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  std::shared_ptr<grpc::ServerCredentials> credentials = tls::TlsServerCredentials(options);
  if (credentials == nullptr) return absl::InternalError("gRPC refused the server's TLS options");
  return credentials;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeClientCredentials(
    const TlsFiles& files, Role own) {
  RETURN_IF_ERROR(CheckTlsFiles(files, own).status());
  LeaveOnlyTls13();
  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(Watch(files));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_verify_server_certs(true);
  options.set_check_call_host(false);
  options.set_certificate_verifier(
      tls::ExternalCertificateVerifier::Create<SecurityManagerVerifier>());
  std::shared_ptr<grpc::ChannelCredentials> credentials = tls::TlsCredentials(options);
  if (credentials == nullptr) return absl::InternalError("gRPC refused the client's TLS options");
  return credentials;
}

}  // namespace stem
