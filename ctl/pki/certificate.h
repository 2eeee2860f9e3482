// SPDX-License-Identifier: Apache-2.0
// Making one key and one certificate: ECDSA P-256, SHA-256, X.509 v3 (RFC 5280).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/tls/openssl_types.h"
#include "ctl/pki/pki.h"

namespace stem {

struct KeyAndCertificate {
  OwnedKey key;
  OwnedCertificate certificate;
};

// A self-signed authority that may sign leaves and no further authorities.
absl::StatusOr<KeyAndCertificate> MakeAuthority(int days);

// A leaf for `leaf`, signed by `authority`, valid for `days` but not longer than the authority.
absl::StatusOr<KeyAndCertificate> MakeLeaf(const PkiLeaf& leaf, int days,
                                           const KeyAndCertificate& authority);

absl::StatusOr<std::string> ToPem(X509* certificate);
absl::StatusOr<std::string> ToPem(EVP_PKEY* key);  // PKCS #8, unencrypted

}  // namespace stem
