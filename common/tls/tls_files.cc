// SPDX-License-Identifier: Apache-2.0
#include "common/tls/tls_files.h"

#include <openssl/pem.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/chrono.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr size_t kMaxPemBytes = 1 << 20;

OwnedBio BioOf(const std::string& text) {
  return OwnedBio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Never asks the terminal for a passphrase.
int NoPassphrase(char*, int, int, void*) { return 0; }

absl::StatusOr<time_t> SecondsOf(const ASN1_TIME* asn1, const std::string& name) {
  std::tm utc{};
  if (ASN1_TIME_to_tm(asn1, &utc) != 1) {
    return absl::FailedPreconditionError(fmt::format("{} has an unreadable validity", name));
  }
  return timegm(&utc);
}

std::string DateText(time_t seconds) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(seconds));
}

absl::StatusOr<time_t> CheckValidNow(X509* certificate, const std::string& name) {
  ASSIGN_OR_RETURN(const time_t begin, SecondsOf(X509_get0_notBefore(certificate), name));
  ASSIGN_OR_RETURN(const time_t end, SecondsOf(X509_get0_notAfter(certificate), name));
  const time_t now = time(nullptr);
  if (now > end) {
    return absl::FailedPreconditionError(
        fmt::format("{} expired on {}; issue a new one", name, DateText(end)));
  }
  if (now < begin) {
    return absl::FailedPreconditionError(
        fmt::format("{} is not valid before {}; check this host's clock", name, DateText(begin)));
  }
  return end;
}

// Every certificate of a PEM text.
absl::StatusOr<std::vector<OwnedCertificate>> ParseCertificates(const std::string& pem,
                                                                const std::string& name) {
  const OwnedBio bio = BioOf(pem);
  std::vector<OwnedCertificate> certificates;
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, &NoPassphrase, nullptr)) {
    certificates.emplace_back(next);
  }
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  if (certificates.empty()) {
    return absl::InvalidArgumentError(fmt::format("{} holds no PEM certificate", name));
  }
  // The end of the text is reported as "no start line"; all else is damage behind the first one.
  if (ERR_GET_LIB(error) != ERR_LIB_PEM || ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
    return absl::InvalidArgumentError(fmt::format(
        "{} holds a damaged certificate after the first {}", name, certificates.size()));
  }
  return certificates;
}

// `purpose` is X509_PURPOSE_SSL_SERVER or _CLIENT: what the peer will ask of the extended key
// usage.
absl::Status CheckIssued(const std::vector<OwnedCertificate>& chain, const std::string& ca_pem,
                         const TlsFiles& files, int purpose) {
  ASSIGN_OR_RETURN(const std::vector<OwnedCertificate> roots, ParseCertificates(ca_pem, files.ca));
  const OwnedStore store(X509_STORE_new());
  for (const OwnedCertificate& root : roots) X509_STORE_add_cert(store.get(), root.get());
  STACK_OF(X509)* intermediates = sk_X509_new_null();
  for (size_t i = 1; i < chain.size(); ++i) sk_X509_push(intermediates, chain[i].get());
  const OwnedStoreContext context(X509_STORE_CTX_new());
  bool verified = false;
  std::string reason = "out of memory";
  if (X509_STORE_CTX_init(context.get(), store.get(), chain[0].get(), intermediates) == 1 &&
      X509_STORE_CTX_set_purpose(context.get(), purpose) == 1) {
    verified = X509_verify_cert(context.get()) == 1;
    reason = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
  }
  sk_X509_free(intermediates);  // the certificates stay the chain's
  ERR_clear_error();
  if (verified) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format("{} is not a certificate of the CA in {}: {}",
                                                   files.certificate, files.ca, reason));
}

}  // namespace

void ReadTlsFiles(const ConfigSection& section, TlsFiles& files) {
  section.Required("certificate", files.certificate, FilePath{});
  section.Required("key", files.key, FilePath{});
  section.Required("ca", files.ca, FilePath{});
  section.Optional("reload", files.reload,
                   Duration{.min = std::chrono::seconds(1), .max = std::chrono::hours(1)});
}

absl::StatusOr<OwnedCertificate> ParseCertificate(const std::string& pem, const std::string& name) {
  ASSIGN_OR_RETURN(std::vector<OwnedCertificate> all, ParseCertificates(pem, name));
  return std::move(all.front());
}

absl::StatusOr<OwnedKey> ParseKey(const std::string& pem, const std::string& name) {
  const OwnedBio bio = BioOf(pem);
  OwnedKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassphrase, nullptr));
  ERR_clear_error();
  if (key == nullptr) {
    return absl::InvalidArgumentError(fmt::format("{} holds no unencrypted PEM private key", name));
  }
  return key;
}

absl::StatusOr<Peer> PeerOfCertificate(X509* certificate, const std::string& name) {
  const OwnedNames names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::optional<Peer> found;
  const int count = names == nullptr ? 0 : sk_GENERAL_NAME_num(names.get());
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* entry = sk_GENERAL_NAME_value(names.get(), i);
    if (entry->type != GEN_URI) continue;
    const ASN1_IA5STRING* text = entry->d.uniformResourceIdentifier;
    const std::string_view uri(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                               static_cast<size_t>(ASN1_STRING_length(text)));
    if (!IsPeerUri(uri)) continue;
    absl::StatusOr<Peer> peer = ParsePeerUri(uri);
    if (!peer.ok() || found.has_value()) {
      return absl::FailedPreconditionError(
          fmt::format("{} carries a malformed or a second urn:stem identity: {}", name, uri));
    }
    found = *std::move(peer);
  }
  if (!found.has_value()) {
    return absl::FailedPreconditionError(fmt::format(
        "{} carries no identity of the form urn:stem:ROLE:IDENTITY; issue it with stemctl pki init",
        name));
  }
  return *found;
}

absl::Status CheckOwnerOnly(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    return absl::ErrnoToStatus(errno, fmt::format("cannot read {}", path));
  }
  if ((info.st_mode & 077) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "{} may be opened by others than its owner (mode {:04o}); mend it with: chmod 600 {}", path,
      info.st_mode & 07777, path));
}

absl::StatusOr<TlsIdentity> CheckTlsFiles(const TlsFiles& files, Role role) {
  RETURN_IF_ERROR(CheckOwnerOnly(files.key));
  ASSIGN_OR_RETURN(const std::string key_pem, ReadFile(files.key, kMaxPemBytes));
  ASSIGN_OR_RETURN(const std::string certificate_pem, ReadFile(files.certificate, kMaxPemBytes));
  ASSIGN_OR_RETURN(const std::string ca_pem, ReadFile(files.ca, kMaxPemBytes));
  ASSIGN_OR_RETURN(const OwnedKey key, ParseKey(key_pem, files.key));
  ASSIGN_OR_RETURN(const std::vector<OwnedCertificate> chain,
                   ParseCertificates(certificate_pem, files.certificate));
  X509* leaf = chain.front().get();
  const bool belongs = X509_check_private_key(leaf, key.get()) == 1;
  ERR_clear_error();
  if (!belongs) {
    return absl::FailedPreconditionError(
        fmt::format("{} and {} do not belong together; take both from one folder",
                    files.certificate, files.key));
  }
  ASSIGN_OR_RETURN(const time_t not_after, CheckValidNow(leaf, files.certificate));
  RETURN_IF_ERROR(CheckIssued(
      chain, ca_pem, files,
      role == Role::kSecurityManager ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT));
  ASSIGN_OR_RETURN(Peer peer, PeerOfCertificate(leaf, files.certificate));
  if (peer.role != role) {
    return absl::FailedPreconditionError(fmt::format("{} carries the role {}, but {} is needed",
                                                     files.certificate, RoleName(peer.role),
                                                     RoleName(role)));
  }
  return TlsIdentity{std::move(peer), not_after};
}

}  // namespace stem
