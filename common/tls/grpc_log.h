// SPDX-License-Identifier: Apache-2.0
// gRPC's own messages (refused handshakes above all) in our log.
#pragma once

namespace stem {

// Sends what gRPC has to say to spdlog, at most ten lines a second: a stranger who knocks on the
// port must not fill the disk. What was left out is counted in the next line. Call before using
// gRPC.
void SendGrpcLogToSpdlog();

}  // namespace stem
