// SPDX-License-Identifier: Apache-2.0
// Firewall.Watch from the security manager's end: one stream, one firewall that watches the policy
// and says whether it is in force there.
#pragma once

#include "sm/entrance.h"
#include "sm/policy_feed.h"
#include "stem/v1/firewall.grpc.pb.h"

namespace stem {

using WatchReactor = grpc::ServerBidiReactor<v1::WatchRequest, v1::WatchResponse>;

// Serves one stream; the reactor owns itself. Role: firewall. Every message of the firewall must be
// fresh (sm/replay_guard.h); the first one joins it to the feed. `entrance` and `feed` must outlive
// the gRPC server.
WatchReactor* OpenWatchStream(const grpc::CallbackServerContext& context, Entrance* entrance,
                              PolicyFeed* feed);

}  // namespace stem
