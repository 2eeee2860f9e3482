// SPDX-License-Identifier: Apache-2.0
// What becomes of new calls while the security manager cannot be reached.
#pragma once

namespace stem {

enum class SmDown {
  kRefuse,      // 503 to every new call
  kKnownUsers,  // calls to users the SM last said accept calls; 503 to the others
  kAccept,      // every call
};

}  // namespace stem
