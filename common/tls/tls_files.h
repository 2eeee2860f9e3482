// SPDX-License-Identifier: Apache-2.0
// The three files with which a process proves who it is, and whether they can.
#pragma once

#include <chrono>
#include <ctime>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config/document.h"
#include "common/tls/identity.h"
#include "common/tls/openssl_types.h"

namespace stem {

struct TlsFiles {
  std::string certificate;  // PEM, leaf first, then any intermediates
  std::string key;          // PEM, unencrypted, readable by its owner only
  std::string ca;           // PEM, every CA whose certificates are accepted
  std::chrono::nanoseconds reload = std::chrono::seconds(10);  // how often changes are looked for
};

// Reads certificate, key, ca (required) and reload (optional) of a `tls:` section.
void ReadTlsFiles(const ConfigSection& section, TlsFiles& files);

struct TlsIdentity {
  Peer peer;
  time_t not_after = 0;  // seconds since 1970
};

// Checks what can be known before any connection: the files can be read, the key's mode lets only
// its owner in, key and certificate belong together, the certificate is valid now, was issued by
// `ca`, and carries the role. FAILED_PRECONDITION says which file and, where there is one, the
// command that mends it; NOT_FOUND and PERMISSION_DENIED as the files say.
absl::StatusOr<TlsIdentity> CheckTlsFiles(const TlsFiles& files, Role role);

// The first certificate of a PEM text; INVALID_ARGUMENT without one. `name` is what errors call it.
absl::StatusOr<OwnedCertificate> ParseCertificate(const std::string& pem, const std::string& name);

// The private key of a PEM text, unencrypted; INVALID_ARGUMENT otherwise.
absl::StatusOr<OwnedKey> ParseKey(const std::string& pem, const std::string& name);

// The one urn:stem identity among a certificate's subject alternative names.
absl::StatusOr<Peer> PeerOfCertificate(X509* certificate, const std::string& name);

// FAILED_PRECONDITION with the chmod that mends it when others than the owner may open the file.
absl::Status CheckOwnerOnly(const std::string& path);

}  // namespace stem
