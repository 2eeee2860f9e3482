// SPDX-License-Identifier: Apache-2.0
#include "ctl/pki/certificate.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr long kBackdatedSeconds = 300;  // a peer's clock may be a little behind ours
constexpr int kSerialBits = 127;         // positive in 16 bytes (RFC 5280, 4.1.2.2: at most 20)

absl::Status OpenSslStatus(std::string_view what) {
  return absl::InternalError(fmt::format("cannot {}: {}", what, TakeOpenSslError()));
}

absl::Status Check(int result, std::string_view what) {
  return result > 0 ? absl::OkStatus() : OpenSslStatus(what);
}

absl::Status SetRandomSerial(X509* certificate) {
  const OwnedBigNumber number(BN_new());
  if (number == nullptr || BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ONE, 0) != 1 ||
      BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) == nullptr) {
    return OpenSslStatus("make a serial number");
  }
  return absl::OkStatus();
}

absl::Status AddSubjectEntry(X509* certificate, const char* field, const std::string& value) {
  return Check(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), field, MBSTRING_UTF8,
                                          reinterpret_cast<const unsigned char*>(value.data()),
                                          static_cast<int>(value.size()), -1, 0),
               "set the subject");
}

// Adds an extension in OpenSSL's configuration syntax; `value` never comes from outside.
absl::Status AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const OwnedExtension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  if (extension == nullptr) return OpenSslStatus("make an extension");
  return Check(X509_add_ext(certificate, extension.get(), -1), "add an extension");
}

absl::StatusOr<OwnedName> TextName(int type, const std::string& value) {
  OwnedName name(GENERAL_NAME_new());
  ASN1_IA5STRING* text = ASN1_IA5STRING_new();
  if (name == nullptr || text == nullptr ||
      ASN1_STRING_set(text, value.data(), static_cast<int>(value.size())) != 1) {
    ASN1_IA5STRING_free(text);
    return OpenSslStatus("make a subject alternative name");
  }
  GENERAL_NAME_set0_value(name.get(), type, text);
  return name;
}

absl::StatusOr<OwnedName> AddressName(const IpAddress& address) {
  const size_t skip = address.is_v4() ? 12 : 0;
  OwnedName name(GENERAL_NAME_new());
  ASN1_OCTET_STRING* octets = ASN1_OCTET_STRING_new();
  if (name == nullptr || octets == nullptr ||
      ASN1_OCTET_STRING_set(octets, address.bytes.data() + skip,
                            static_cast<int>(address.bytes.size() - skip)) != 1) {
    ASN1_OCTET_STRING_free(octets);
    return OpenSslStatus("make a subject alternative name");
  }
  GENERAL_NAME_set0_value(name.get(), GEN_IPADD, octets);
  return name;
}

absl::Status Append(GENERAL_NAMES* names, absl::StatusOr<OwnedName> name) {
  RETURN_IF_ERROR(name.status());
  RETURN_IF_ERROR(Check(sk_GENERAL_NAME_push(names, name->get()), "add an alternative name"));
  static_cast<void>(name->release());  // the stack owns it now
  return absl::OkStatus();
}

absl::Status AddAlternativeNames(X509* certificate, const PkiLeaf& leaf) {
  const OwnedNames names(GENERAL_NAMES_new());
  if (names == nullptr) return OpenSslStatus("make alternative names");
  RETURN_IF_ERROR(Append(names.get(), TextName(GEN_URI, leaf.peer.ToUri())));
  for (const std::string& dns : leaf.dns_names) {
    RETURN_IF_ERROR(Append(names.get(), TextName(GEN_DNS, dns)));
  }
  for (const IpAddress& address : leaf.addresses) {
    RETURN_IF_ERROR(Append(names.get(), AddressName(address)));
  }
  return Check(
      X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT),
      "add the alternative names");
}

// A new key in a new certificate with serial, validity and public key set.
absl::StatusOr<KeyAndCertificate> Begin(int days) {
  KeyAndCertificate made;
  made.key.reset(EVP_EC_gen("P-256"));
  if (made.key == nullptr) return OpenSslStatus("make a P-256 key");
  made.certificate.reset(X509_new());
  X509* certificate = made.certificate.get();
  if (certificate == nullptr) return OpenSslStatus("make a certificate");
  RETURN_IF_ERROR(Check(X509_set_version(certificate, X509_VERSION_3), "set the version"));
  RETURN_IF_ERROR(SetRandomSerial(certificate));
  if (X509_gmtime_adj(X509_getm_notBefore(certificate), -kBackdatedSeconds) == nullptr ||
      X509_time_adj_ex(X509_getm_notAfter(certificate), days, 0, nullptr) == nullptr) {
    return OpenSslStatus("set the validity");
  }
  RETURN_IF_ERROR(Check(X509_set_pubkey(certificate, made.key.get()), "set the public key"));
  return made;
}

absl::StatusOr<std::string> Contents(BIO* bio, int written) {
  if (written != 1) return OpenSslStatus("write PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

}  // namespace

absl::StatusOr<KeyAndCertificate> MakeAuthority(int days) {
  ASSIGN_OR_RETURN(KeyAndCertificate made, Begin(days));
  X509* certificate = made.certificate.get();
  RETURN_IF_ERROR(AddSubjectEntry(certificate, "O", "STEM"));
  RETURN_IF_ERROR(AddSubjectEntry(certificate, "CN", "STEM certificate authority"));
  RETURN_IF_ERROR(Check(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)),
                        "set the issuer"));
  RETURN_IF_ERROR(
      AddExtension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
  RETURN_IF_ERROR(
      AddExtension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign"));
  RETURN_IF_ERROR(AddExtension(certificate, certificate, NID_subject_key_identifier, "hash"));
  RETURN_IF_ERROR(Check(X509_sign(certificate, made.key.get(), EVP_sha256()), "sign"));
  return made;
}

absl::StatusOr<KeyAndCertificate> MakeLeaf(const PkiLeaf& leaf, int days,
                                           const KeyAndCertificate& authority) {
  ASSIGN_OR_RETURN(KeyAndCertificate made, Begin(days));
  X509* certificate = made.certificate.get();
  X509* issuer = authority.certificate.get();
  const ASN1_TIME* issuer_end = X509_get0_notAfter(issuer);
  if (ASN1_TIME_compare(X509_get0_notAfter(certificate), issuer_end) > 0) {
    RETURN_IF_ERROR(Check(X509_set1_notAfter(certificate, issuer_end), "set the validity"));
  }
  RETURN_IF_ERROR(AddSubjectEntry(certificate, "O", "STEM"));
  RETURN_IF_ERROR(AddSubjectEntry(certificate, "OU", std::string(RoleName(leaf.peer.role))));
  RETURN_IF_ERROR(AddSubjectEntry(certificate, "CN", leaf.peer.identity));
  RETURN_IF_ERROR(
      Check(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)), "set the issuer"));
  const bool server = leaf.peer.role == Role::kSecurityManager;
  RETURN_IF_ERROR(AddExtension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE"));
  RETURN_IF_ERROR(AddExtension(certificate, issuer, NID_key_usage, "critical,digitalSignature"));
  RETURN_IF_ERROR(
      AddExtension(certificate, issuer, NID_ext_key_usage, server ? "serverAuth" : "clientAuth"));
  RETURN_IF_ERROR(AddExtension(certificate, issuer, NID_subject_key_identifier, "hash"));
  RETURN_IF_ERROR(AddExtension(certificate, issuer, NID_authority_key_identifier, "keyid:always"));
  RETURN_IF_ERROR(AddAlternativeNames(certificate, leaf));
  RETURN_IF_ERROR(Check(X509_sign(certificate, authority.key.get(), EVP_sha256()), "sign"));
  return made;
}

absl::StatusOr<std::string> ToPem(X509* certificate) {
  const OwnedBio bio(BIO_new(BIO_s_mem()));
  return Contents(bio.get(), PEM_write_bio_X509(bio.get(), certificate));
}

absl::StatusOr<std::string> ToPem(EVP_PKEY* key) {
  const OwnedBio bio(BIO_new(BIO_s_secmem()));
  return Contents(bio.get(), PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0,
                                                           nullptr, nullptr));
}

}  // namespace stem
