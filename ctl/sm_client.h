// SPDX-License-Identifier: Apache-2.0
// stemctl's way to the security manager, as an administrator.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/status_macros.h"
#include "common/tls/request_header.h"
#include "stem/v1/admin.grpc.pb.h"

namespace stem::ctl {

class SmClient {
 public:
  using Stub = v1::Admin::StubInterface;

  // `endpoint` and `tls_directory` (tls.crt, tls.key, ca.crt) as given by --sm and --tls; empty
  // stands for STEM_SM and STEM_TLS. INVALID_ARGUMENT when neither says; UNAVAILABLE when the
  // certificates cannot serve. Connects at the first question, of which `timeout` is the deadline.
  static absl::StatusOr<SmClient> Make(std::string endpoint, std::string tls_directory,
                                       std::chrono::milliseconds timeout);

  // Fills in the request's header.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                            Response*),
                               Request request) {
    RETURN_IF_ERROR(FillRequestHeader(request.mutable_header()));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout_);
    Response response;
    const grpc::Status status = (stub_.get()->*method)(&context, request, &response);
    if (!status.ok()) return Explain(status);
    return response;
  }

 private:
  SmClient(std::string endpoint, std::string tls_directory, std::chrono::milliseconds timeout,
           std::unique_ptr<Stub> stub);
  absl::Status Explain(const grpc::Status& status) const;

  std::string endpoint_;
  std::string tls_directory_;
  std::chrono::milliseconds timeout_;
  std::unique_ptr<Stub> stub_;
};

}  // namespace stem::ctl
