// SPDX-License-Identifier: Apache-2.0
// OpenSSL's objects as owned C++ values, and its error queue as text.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

namespace stem {

template <auto Free>
struct OpenSslFree {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

using OwnedBio = std::unique_ptr<BIO, OpenSslFree<BIO_free_all>>;
using OwnedKey = std::unique_ptr<EVP_PKEY, OpenSslFree<EVP_PKEY_free>>;
using OwnedCertificate = std::unique_ptr<X509, OpenSslFree<X509_free>>;
using OwnedExtension = std::unique_ptr<X509_EXTENSION, OpenSslFree<X509_EXTENSION_free>>;
using OwnedStore = std::unique_ptr<X509_STORE, OpenSslFree<X509_STORE_free>>;
using OwnedStoreContext = std::unique_ptr<X509_STORE_CTX, OpenSslFree<X509_STORE_CTX_free>>;
using OwnedNames = std::unique_ptr<GENERAL_NAMES, OpenSslFree<GENERAL_NAMES_free>>;
using OwnedName = std::unique_ptr<GENERAL_NAME, OpenSslFree<GENERAL_NAME_free>>;
using OwnedBigNumber = std::unique_ptr<BIGNUM, OpenSslFree<BN_free>>;

// Empties this thread's OpenSSL error queue; the oldest entry's reason, or "unknown error".
inline std::string TakeOpenSslError() {
  const char* reason = ERR_reason_error_string(ERR_peek_error());
  std::string text = reason != nullptr ? reason : "unknown error";
  ERR_clear_error();
  return text;
}

}  // namespace stem
