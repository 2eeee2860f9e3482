// SPDX-License-Identifier: Apache-2.0
#include "common/tls/request_header.h"

#include <openssl/rand.h>

#include <array>
#include <chrono>

#include "common/tls/openssl_types.h"
#include "fmt/format.h"

namespace stem {

absl::Status FillRequestHeader(v1::RequestHeader* header) {
  std::array<unsigned char, kNonceBytes> nonce{};
  if (RAND_bytes(nonce.data(), static_cast<int>(nonce.size())) != 1) {
    return absl::InternalError(fmt::format("no random nonce: {}", TakeOpenSslError()));
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  header->set_sent_unix_ms(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  header->set_nonce(nonce.data(), nonce.size());
  return absl::OkStatus();
}

}  // namespace stem
