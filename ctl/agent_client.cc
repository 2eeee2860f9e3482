// SPDX-License-Identifier: Apache-2.0
#include "ctl/agent_client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "grpcpp/create_channel.h"

namespace stem::ctl {
namespace {

constexpr char kDefaultName[] = "stem";

// A listing of the largest tables; larger than that is a mistake somewhere.
constexpr int kLargestAnswer = 256 * 1024 * 1024;

std::string FromEnvironment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread
  return value == nullptr ? std::string() : value;
}

std::string SocketOf(const std::string& directory, const std::string& name) {
  return fmt::format("{}/{}/agent.sock", directory, name);
}

// gRPC would say only that it failed to connect; the system says why.
absl::Status CheckAnswered(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(fmt::format(
        "{} is too long for a Unix socket: {} bytes at most", path, sizeof(address.sun_path) - 1));
  }
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return absl::ErrnoToStatus(errno, "cannot make a Unix socket");
  const int result = connect(probe, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  const int error = errno;
  close(probe);
  // EAGAIN: somebody listens and is behind with accepting; the question's deadline will tell.
  if (result == 0 || error == EAGAIN) return absl::OkStatus();
  if (error == ENOENT || error == ENOTDIR) {
    return absl::UnavailableError(fmt::format(
        "no agent listens on {}: start stem-agent, or name another with --agent or --name", path));
  }
  if (error == ECONNREFUSED) {
    return absl::UnavailableError(fmt::format(
        "no agent answers on {}, one that has died left it behind: start stem-agent", path));
  }
  if (error == EACCES || error == EPERM) {
    return absl::UnavailableError(
        fmt::format("you may not open {}: ask as the agent's user or as root", path));
  }
  return absl::UnavailableError(
      fmt::format("cannot connect to {}: {}", path, std::generic_category().message(error)));
}

}  // namespace

AgentChoice ChooseAgent(const std::string& agent_option, const std::string& name_option) {
  if (!agent_option.empty() || !name_option.empty()) return {agent_option, name_option};
  return {FromEnvironment("STEM_AGENT"), FromEnvironment("STEM_NAME")};
}

absl::StatusOr<std::string> AgentSocket(const AgentChoice& choice, const std::string& directory) {
  if (!choice.path.empty()) return choice.path;
  if (!choice.name.empty()) return SocketOf(directory, choice.name);
  std::vector<std::string> names;
  std::error_code error;  // what cannot be listed holds no socket for us either
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code unreadable;
    if (std::filesystem::is_socket(entry->path() / "agent.sock", unreadable)) {
      names.push_back(entry->path().filename());
    }
  }
  std::sort(names.begin(), names.end());
  if (names.size() == 1) return SocketOf(directory, names[0]);
  if (names.empty() || std::find(names.begin(), names.end(), kDefaultName) != names.end()) {
    return SocketOf(directory, kDefaultName);
  }
  return absl::InvalidArgumentError(
      fmt::format("several agents run here: {}; say which with --name", fmt::join(names, ", ")));
}

AgentClient::AgentClient(std::string socket, std::chrono::milliseconds timeout)
    : socket_(std::move(socket)), timeout_(timeout) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);  // thousands of rules; the peer is our own agent
  arguments.SetMaxReceiveMessageSize(kLargestAnswer);
  // The socket's mode is the guard, see agent/application_gateway/application_gateway.cc.
  const std::shared_ptr<grpc::Channel> channel =
      grpc::CreateCustomChannel("unix:" + socket_, grpc::InsecureChannelCredentials(), arguments);
  stub_ = v1::Control::NewStub(channel);
  data_plane_ = v1::DataPlane::NewStub(channel);
}

absl::StatusOr<AgentClient> AgentClient::Connect(const std::string& socket,
                                                 std::chrono::milliseconds timeout) {
  RETURN_IF_ERROR(CheckAnswered(socket));
  return AgentClient(socket, timeout);
}

absl::Status AgentClient::Explain(const grpc::Status& status) const {
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      if (status.error_message() == "Deadline Exceeded") {  // gRPC's own text: ours has run out
        return absl::DeadlineExceededError(
            fmt::format("the agent on {} did not answer within {} ms: allow more with --timeout",
                        socket_, timeout_.count()));
      }
      break;
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::UnimplementedError(fmt::format(
          "the agent on {} does not know this question: it is of another version than stemctl",
          socket_));
    default:
      break;
  }
  return FromPeer(status);
}

}  // namespace stem::ctl
