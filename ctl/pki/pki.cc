// SPDX-License-Identifier: Apache-2.0
#include "ctl/pki/pki.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <filesystem>
#include <set>
#include <utility>

#include "common/file.h"
#include "common/name.h"
#include "common/status_macros.h"
#include "common/tls/tls_files.h"
#include "ctl/pki/certificate.h"
#include "fmt/format.h"

namespace stem {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxPemBytes = 1 << 20;
constexpr int kMaxDays = 36500;

struct NamedFile {
  std::string name;
  std::string bytes;
  mode_t mode;
};

absl::Status ErrnoStatus(std::string_view what, const fs::path& path) {
  return absl::ErrnoToStatus(errno, fmt::format("cannot {} {}", what, path.string()));
}

bool Exists(const fs::path& path) {
  std::error_code ignored_reason;  // what cannot be seen is reported by who opens it
  return fs::exists(path, ignored_reason);
}

// A folder filled out of sight, removed again unless it was put in place.
class HiddenFolder {
 public:
  static absl::StatusOr<HiddenFolder> Make(const fs::path& place) {
    std::string name = place.parent_path() / fmt::format(".{}.XXXXXX", place.filename().string());
    if (mkdtemp(name.data()) == nullptr)
      return ErrnoStatus("create a folder in", place.parent_path());
    return HiddenFolder(name);  // mkdtemp made it 0700
  }
  HiddenFolder(HiddenFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  HiddenFolder(const HiddenFolder&) = delete;
  HiddenFolder& operator=(const HiddenFolder&) = delete;
  HiddenFolder& operator=(HiddenFolder&&) = delete;
  ~HiddenFolder() {
    std::error_code unremovable;  // a hidden folder left over harms nobody
    if (!path_.empty()) fs::remove_all(path_, unremovable);
  }

  const fs::path& path() const { return path_; }

  // Renames it to `place`, which must not exist.
  absl::Status Place(const fs::path& place) {
    if (renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, place.c_str(), RENAME_NOREPLACE) != 0) {
      return ErrnoStatus("create", place);
    }
    path_.clear();
    return absl::OkStatus();
  }

  // Exchanges it with the folder `place`; the old one is removed with this object.
  absl::Status Exchange(const fs::path& place) const {
    if (renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, place.c_str(), RENAME_EXCHANGE) != 0) {
      return ErrnoStatus("replace", place);
    }
    return absl::OkStatus();
  }

 private:
  explicit HiddenFolder(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

absl::StatusOr<HiddenFolder> FillFolder(const fs::path& place,
                                        const std::vector<NamedFile>& files) {
  ASSIGN_OR_RETURN(HiddenFolder folder, HiddenFolder::Make(place));
  for (const NamedFile& file : files) {
    RETURN_IF_ERROR(WriteFileAtomically(folder.path() / file.name, file.bytes, file.mode));
  }
  return folder;
}

absl::Status CheckLeaf(const PkiLeaf& leaf) {
  if (!IsName(leaf.peer.identity)) {
    return absl::InvalidArgumentError(fmt::format(
        "'{}' is not an identity; write 1 to {} letters, digits, '.', '_' or '-' that begin with a "
        "letter or digit",
        leaf.peer.identity, kMaxNameLength));
  }
  for (const std::string& dns : leaf.dns_names) {
    if (IsHostName(dns)) continue;
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not a DNS name; write one such as sm.example.org", dns));
  }
  return absl::OkStatus();
}

absl::Status CheckPlan(const PkiPlan& plan) {
  if (plan.directory.empty()) return absl::InvalidArgumentError("no directory was given");
  for (const int days : {plan.ca_days, plan.leaf_days}) {
    if (days >= 1 && days <= kMaxDays) continue;
    return absl::InvalidArgumentError(
        fmt::format("a validity of {} days is impossible; write 1 to {}", days, kMaxDays));
  }
  std::set<std::string> folders;
  for (const PkiLeaf& leaf : plan.leaves) {
    RETURN_IF_ERROR(CheckLeaf(leaf));
    if (!folders.insert(PkiFolder(leaf.peer)).second) {
      return absl::InvalidArgumentError(fmt::format("{} is asked for twice", PkiFolder(leaf.peer)));
    }
  }
  return absl::OkStatus();
}

// Creates `directory` for its owner only; folders above it get the usual modes.
absl::Status MakeDirectory(fs::path directory) {
  if (!directory.has_filename()) directory = directory.parent_path();  // "pki/"
  if (directory.has_parent_path()) {
    std::error_code error;
    fs::create_directories(directory.parent_path(), error);
    if (error) {
      return absl::ErrnoToStatus(error.value(),
                                 fmt::format("cannot create {}", directory.parent_path().string()));
    }
  }
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoStatus("create", directory);
  }
  return absl::OkStatus();
}

// A renewed folder stays its process' own: same owner and group as the one it replaces.
absl::Status CopyOwner(const fs::path& from, const fs::path& to) {
  struct stat info {};
  if (stat(from.c_str(), &info) != 0) return ErrnoStatus("read", from);
  if (info.st_uid == geteuid() && info.st_gid == getegid()) return absl::OkStatus();
  for (const fs::path& path : {to, to / "tls.crt", to / "tls.key", to / "ca.crt"}) {
    if (chown(path.c_str(), info.st_uid, info.st_gid) != 0)
      return ErrnoStatus("change the owner of", path);
  }
  return absl::OkStatus();
}

absl::StatusOr<KeyAndCertificate> LoadAuthority(const fs::path& folder) {
  const std::string key_path = folder / "ca.key";
  const std::string certificate_path = folder / "ca.crt";
  RETURN_IF_ERROR(CheckOwnerOnly(key_path));
  ASSIGN_OR_RETURN(const std::string key_pem, ReadFile(key_path, kMaxPemBytes));
  ASSIGN_OR_RETURN(const std::string certificate_pem, ReadFile(certificate_path, kMaxPemBytes));
  KeyAndCertificate authority;
  ASSIGN_OR_RETURN(authority.key, ParseKey(key_pem, key_path));
  ASSIGN_OR_RETURN(authority.certificate, ParseCertificate(certificate_pem, certificate_path));
  const bool belongs =
      X509_check_private_key(authority.certificate.get(), authority.key.get()) == 1;
  ERR_clear_error();
  if (!belongs) {
    return absl::FailedPreconditionError(
        fmt::format("{} and {} do not belong together", certificate_path, key_path));
  }
  if (X509_cmp_current_time(X509_get0_notAfter(authority.certificate.get())) <= 0) {
    return absl::FailedPreconditionError(fmt::format(
        "the authority {} has expired; make a new one in another directory", certificate_path));
  }
  return authority;
}

absl::StatusOr<KeyAndCertificate> EnsureAuthority(const PkiPlan& plan, PkiReport& report) {
  const fs::path folder = fs::path(plan.directory) / "ca";
  if (Exists(folder)) return LoadAuthority(folder);
  ASSIGN_OR_RETURN(KeyAndCertificate authority, MakeAuthority(plan.ca_days));
  ASSIGN_OR_RETURN(std::string certificate_pem, ToPem(authority.certificate.get()));
  ASSIGN_OR_RETURN(std::string key_pem, ToPem(authority.key.get()));
  ASSIGN_OR_RETURN(HiddenFolder hidden,
                   FillFolder(folder, {{"ca.crt", std::move(certificate_pem), 0644},
                                       {"ca.key", std::move(key_pem), 0600}}));
  RETURN_IF_ERROR(hidden.Place(folder));
  report.made_ca = true;
  return authority;
}

absl::Status EnsureLeaf(const PkiPlan& plan, const PkiLeaf& leaf,
                        const KeyAndCertificate& authority, PkiReport& report) {
  const fs::path folder = fs::path(plan.directory) / PkiFolder(leaf.peer);
  const bool exists = Exists(folder);
  if (exists && !plan.renew) {
    report.kept.push_back(folder);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const KeyAndCertificate made, MakeLeaf(leaf, plan.leaf_days, authority));
  ASSIGN_OR_RETURN(std::string certificate_pem, ToPem(made.certificate.get()));
  ASSIGN_OR_RETURN(std::string key_pem, ToPem(made.key.get()));
  ASSIGN_OR_RETURN(std::string ca_pem, ToPem(authority.certificate.get()));
  ASSIGN_OR_RETURN(HiddenFolder hidden,
                   FillFolder(folder, {{"tls.crt", std::move(certificate_pem), 0644},
                                       {"tls.key", std::move(key_pem), 0600},
                                       {"ca.crt", std::move(ca_pem), 0644}}));
  if (exists) RETURN_IF_ERROR(CopyOwner(folder, hidden.path()));
  RETURN_IF_ERROR(exists ? hidden.Exchange(folder) : hidden.Place(folder));
  (exists ? report.renewed : report.made).push_back(folder);
  return absl::OkStatus();
}

}  // namespace

std::string PkiFolder(const Peer& peer) {
  return fmt::format("{}-{}", RoleName(peer.role), peer.identity);
}

absl::StatusOr<PkiReport> InitPki(const PkiPlan& plan) {
  RETURN_IF_ERROR(CheckPlan(plan));
  RETURN_IF_ERROR(MakeDirectory(plan.directory));
  PkiReport report;
  ASSIGN_OR_RETURN(const KeyAndCertificate authority, EnsureAuthority(plan, report));
  for (const PkiLeaf& leaf : plan.leaves) {
    RETURN_IF_ERROR(EnsureLeaf(plan, leaf, authority, report));
  }
  return report;
}

}  // namespace stem
