// SPDX-License-Identifier: Apache-2.0
// The DataPlane service of proto/stem/v1/dataplane.proto.
#pragma once

#include <chrono>

#include "agent/application_gateway/data_plane_source.h"
#include "agent/application_gateway/rendezvous.h"
#include "stem/v1/dataplane.grpc.pb.h"

namespace stem {

class DataPlaneService final : public v1::DataPlane::Service {
 public:
  // As ControlService.
  DataPlaneService(DataPlaneSource* source, Executor executor,
                   std::chrono::milliseconds answer_within)
      : source_(source), rendezvous_(std::move(executor), answer_within) {}

  void Stop() { rendezvous_.Stop(); }

  grpc::Status ListModules(grpc::ServerContext* context, const v1::ListModulesRequest* request,
                           v1::ListModulesResponse* response) override;
  grpc::Status SetModule(grpc::ServerContext* context, const v1::SetModuleRequest* request,
                         v1::ListModulesResponse* response) override;
  grpc::Status ListBlocks(grpc::ServerContext* context, const v1::ListBlocksRequest* request,
                          v1::ListBlocksResponse* response) override;
  grpc::Status AddBlock(grpc::ServerContext* context, const v1::AddBlockRequest* request,
                        v1::Block* response) override;
  grpc::Status RemoveBlock(grpc::ServerContext* context, const v1::RemoveBlockRequest* request,
                           v1::Block* response) override;
  grpc::Status ListThresholds(grpc::ServerContext* context,
                              const v1::ListThresholdsRequest* request,
                              v1::ListThresholdsResponse* response) override;
  grpc::Status ListPermits(grpc::ServerContext* context, const v1::ListPermitsRequest* request,
                           v1::ListPermitsResponse* response) override;
  grpc::Status Simulate(grpc::ServerContext* context, const v1::SimulateRequest* request,
                        v1::SimulateResponse* response) override;

 private:
  DataPlaneSource* const source_;
  Rendezvous rendezvous_;
};

}  // namespace stem
