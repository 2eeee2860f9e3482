// SPDX-License-Identifier: Apache-2.0
// Firewall.Watch from the firewall's end: keeps a policy stream open, hands every snapshot on, and
// tells the security manager whether it is in force.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "stem/v1/firewall.grpc.pb.h"

namespace stem {

class PolicyWatch {
 public:
  // What became of a snapshot.
  struct Outcome {
    absl::Status status;                    // an error refuses the snapshot
    std::vector<std::string> not_followed;  // instructions left out of it, and why
  };
  using Applied = std::function<void(Outcome)>;
  // Puts a snapshot into force, on the signalling thread; `applied` is called once, on any thread,
  // when that is done. Until then no other snapshot comes.
  using Apply = std::function<void(const v1::WatchResponse&, Applied applied)>;
  using Complete = std::function<void(std::function<void()>)>;

  PolicyWatch(std::unique_ptr<v1::Firewall::Stub> stub, std::string firewall, Complete complete,
              Apply apply);
  ~PolicyWatch();  // ends the stream; `apply` is not called any more

  // Ends the stream that stands; the next one begins within a second.
  void Restart();

  // Whether a stream stands and has brought a policy.
  bool connected() const { return connected_; }

 private:
  struct Shared;
  void Run();
  absl::Status Stream(std::string* in_force);
  Outcome ApplyOnSignallingThread(const v1::WatchResponse& policy);
  bool SleepUnlessStopped(std::chrono::milliseconds duration);

  std::unique_ptr<v1::Firewall::Stub> stub_;
  const std::string firewall_;
  const Complete complete_;
  std::shared_ptr<Shared> shared_;
  std::atomic<bool> connected_ = false;
  std::mutex mutex_;
  std::condition_variable stopped_changed_;
  bool stopped_ = false;
  grpc::ClientContext* context_ = nullptr;  // of the stream that stands
  std::thread thread_;
};

}  // namespace stem
