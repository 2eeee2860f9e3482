// SPDX-License-Identifier: Apache-2.0
#include "common/tls/identity.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stem {
namespace {

TEST(Identity, EveryRoleGoesThroughItsUri) {
  for (const Role role : {Role::kFirewall, Role::kGateway, Role::kTerminal, Role::kAdministrator,
                          Role::kSecurityManager}) {
    const Peer peer{role, "edge-1.lab_a"};
    const auto parsed = ParsePeerUri(peer.ToUri());
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, peer);
  }
  EXPECT_EQ((Peer{Role::kSecurityManager, "sm1"}).ToUri(), "urn:stem:security-manager:sm1");
}

TEST(Identity, RefusesOtherForms) {
  for (const std::string_view uri :
       {"", "urn:stem:", "urn:stem:firewall", "urn:stem:firewall:", "urn:stem:king:edge",
        "urn:stem:firewall:a:b", "urn:stem:firewall:../x", "URN:STEM:firewall:x", "firewall:x"}) {
    EXPECT_FALSE(ParsePeerUri(uri).ok()) << uri;
  }
  EXPECT_THAT(std::string(ParsePeerUri("urn:stem:king:edge").status().message()),
              testing::HasSubstr("'king' is not a role; the roles are firewall,"));
}

}  // namespace
}  // namespace stem
