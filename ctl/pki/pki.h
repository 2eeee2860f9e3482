// SPDX-License-Identifier: Apache-2.0
// A certificate authority of one's own: makes the files that let STEM's processes know each other.
//
//   DIR/ca/ca.crt, ca.key                          the authority; its key signs and nothing else
//   DIR/security-manager-sm1/tls.crt, tls.key, ca.crt   one folder per process, to be copied to its
//   host DIR/firewall-edge1/..., DIR/administrator-admin/...
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/address.h"
#include "common/tls/identity.h"

namespace stem {

struct PkiLeaf {
  Peer peer;  // "security-manager" "sm1" -> folder security-manager-sm1
  // Further subject alternative names; a security manager should have at least one, so that other
  // tools can verify it too.
  std::vector<std::string> dns_names;
  std::vector<IpAddress> addresses;
};

struct PkiPlan {
  std::string directory;
  std::vector<PkiLeaf> leaves;
  int ca_days = 3650;
  int leaf_days = 825;  // cut to the authority's own end
  bool renew = false;   // replace the leaves that exist already, key included
};

struct PkiReport {
  bool made_ca = false;
  std::vector<std::string> made;     // folders written
  std::vector<std::string> renewed;  // folders replaced
  std::vector<std::string> kept;     // folders that existed and were left alone
};

// Makes what the plan asks for and DIR does not have. An existing authority is used, never
// replaced, so that another identity can be added later. Each folder appears whole, in one step,
// keys with mode 0600 and folders 0700; a renewed one is exchanged in one step. After an error the
// folders written before it stay and are valid.
//
// INVALID_ARGUMENT for a plan that makes no sense; FAILED_PRECONDITION for an existing authority
// that cannot sign (expired, key lost or readable by others).
absl::StatusOr<PkiReport> InitPki(const PkiPlan& plan);

// "security-manager-sm1": the folder of a peer below the plan's directory.
std::string PkiFolder(const Peer& peer);

}  // namespace stem
