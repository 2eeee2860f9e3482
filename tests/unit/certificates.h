// SPDX-License-Identifier: Apache-2.0
// Real certificates for tests, made by the authority that operators use.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "common/tls/tls_files.h"
#include "ctl/pki/pki.h"
#include "tests/unit/scratch_folder.h"

namespace stem {

class Certificates {
 public:
  // An authority, and one leaf for each peer.
  explicit Certificates(const std::vector<Peer>& peers) { Add(peers); }

  void Add(const std::vector<Peer>& peers, bool renew = false) {
    PkiPlan plan;
    plan.directory = scratch_ / "pki";
    plan.renew = renew;
    for (const Peer& peer : peers) {
      plan.leaves.push_back({peer, {"localhost"}, {*IpAddress::Parse("127.0.0.1")}});
    }
    const absl::StatusOr<PkiReport> report = InitPki(plan);
    if (!report.ok()) throw std::runtime_error(report.status().ToString());
  }

  TlsFiles Of(const Peer& peer) const {
    const std::string folder = scratch_ / ("pki/" + PkiFolder(peer));
    return {folder + "/tls.crt", folder + "/tls.key", folder + "/ca.crt", std::chrono::seconds(1)};
  }
  std::string Folder(const std::string& name) const { return scratch_ / ("pki/" + name); }

 private:
  ScratchFolder scratch_;
};

}  // namespace stem
