// SPDX-License-Identifier: Apache-2.0
// gRPC credentials for mutual TLS 1.3, from files that may be renewed while the process runs.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/tls/tls_files.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"

namespace stem {

// The server side: requires a client certificate issued by files.ca. What the client may do is
// each RPC's business (PeerOf). The files must carry the role security-manager; errors as in
// CheckTlsFiles.
//
// Files are read again every files.reload. New connections use what is there then, and fail while
// key and certificate do not fit together, so replace the folder in one step (InitPki does).
// Connections that stand are not touched.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const TlsFiles& files);

// The client side, for a process of role `own`. Accepts only a server whose certificate was issued
// by files.ca and carries the role security-manager. Its DNS name or address is not compared: the
// role is the stronger statement (nothing but an SM has it, while any firewall's host has a name)
// and an SM may move without new certificates.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeClientCredentials(
    const TlsFiles& files, Role own);

}  // namespace stem
