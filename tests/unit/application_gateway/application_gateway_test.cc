// SPDX-License-Identifier: Apache-2.0
#include "agent/application_gateway/application_gateway.h"

#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "tests/unit/application_gateway/fake_agent.h"

namespace stem {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using Stub = v1::Control::Stub;

std::unique_ptr<Stub> Connect(const std::string& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return v1::Control::NewStub(
      grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments));
}

template <typename Request, typename Response>
grpc::Status Ask(Stub& stub,
                 grpc::Status (v1::Control::StubInterface::*method)(grpc::ClientContext*,
                                                                    const Request&, Response*),
                 const Request& request, Response* response) {
  HandOver();
  grpc::ClientContext context;
  return (stub.*method)(&context, request, response);
}

TEST(ApplicationGateway, AnswersEveryQuestionFromTheSignallingThread) {
  FakeAgent agent;
  agent.source.status.set_name("lab");
  agent.source.calls.add_calls()->set_id("aaaa000000000001");
  v1::Call* ended = agent.source.calls.add_calls();
  ended->set_id("aaaa000000000002");
  ended->set_ended_unix_ms(1);
  agent.source.pinholes.add_pinholes()->set_media("rtp");
  agent.source.counters.add_counters()->set_name("no_pinhole");
  const auto stub = Connect(agent.socket);

  v1::AgentStatus status;
  ASSERT_TRUE(Ask(*stub, &Stub::StubInterface::GetStatus, v1::GetStatusRequest(), &status).ok());
  EXPECT_EQ(status.name(), "lab");

  v1::ListCallsRequest which;
  v1::ListCallsResponse calls;
  ASSERT_TRUE(Ask(*stub, &Stub::StubInterface::ListCalls, which, &calls).ok());
  EXPECT_EQ(calls.calls_size(), 1);
  which.set_include_ended(true);
  ASSERT_TRUE(Ask(*stub, &Stub::StubInterface::ListCalls, which, &calls).ok());
  EXPECT_EQ(calls.calls_size(), 2);

  v1::GetCallRequest wanted;
  v1::Call call;
  wanted.set_id("aaaa000000000002");
  ASSERT_TRUE(Ask(*stub, &Stub::StubInterface::GetCall, wanted, &call).ok());
  EXPECT_EQ(call.id(), "aaaa000000000002");
  wanted.set_id("bbbb");
  EXPECT_EQ(Ask(*stub, &Stub::StubInterface::GetCall, wanted, &call).error_code(),
            grpc::StatusCode::NOT_FOUND);
  wanted.set_id("aaaa");
  EXPECT_EQ(Ask(*stub, &Stub::StubInterface::GetCall, wanted, &call).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  wanted.set_id("");
  EXPECT_EQ(Ask(*stub, &Stub::StubInterface::GetCall, wanted, &call).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);

  v1::ListPinholesResponse pinholes;
  ASSERT_TRUE(
      Ask(*stub, &Stub::StubInterface::ListPinholes, v1::ListPinholesRequest(), &pinholes).ok());
  EXPECT_EQ(pinholes.pinholes(0).media(), "rtp");
  v1::GetCountersResponse counters;
  ASSERT_TRUE(
      Ask(*stub, &Stub::StubInterface::GetCounters, v1::GetCountersRequest(), &counters).ok());
  EXPECT_EQ(counters.counters(0).name(), "no_pinhole");
  EXPECT_EQ(agent.source.asked.load(), 8);
}

TEST(ApplicationGateway, TheSocketIsItsOwnersAlone) {
  FakeAgent agent;
  struct stat found {};
  ASSERT_EQ(lstat(agent.socket.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0600);
  agent.gateway->Stop();
  EXPECT_TRUE(std::filesystem::is_empty(agent.directory / "run"));
}

TEST(ApplicationGateway, ASecondAgentIsRefusedAndTheFirstGoesOn) {
  FakeAgent agent;
  ScriptedSource source;
  const auto second = ApplicationGateway::Start({.socket_path = agent.socket, .monitors = {}},
                                                {&source, nullptr}, [](auto) { return true; });
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  v1::AgentStatus status;
  EXPECT_TRUE(
      Ask(*Connect(agent.socket), &Stub::StubInterface::GetStatus, v1::GetStatusRequest(), &status)
          .ok());
}

// A proto3 string that is not UTF-8 would make the whole answer unreadable at the other end.
TEST(ApplicationGateway, BytesThatAreNotTextAreShownAsEscapes) {
  FakeAgent agent;
  v1::Call* call = agent.source.calls.add_calls();
  call->set_id("c1");
  call->set_caller("sip:\xff\xc3(@example.org");
  call->add_ladder()->set_message("INVITE sip:\x80");
  const auto stub = Connect(agent.socket);
  v1::ListCallsResponse calls;
  ASSERT_TRUE(Ask(*stub, &Stub::StubInterface::ListCalls, v1::ListCallsRequest(), &calls).ok());
  EXPECT_EQ(calls.calls(0).caller(), "sip:\\xFF\\xC3(@example.org");
  v1::GetCallRequest wanted;
  wanted.set_id("c1");
  v1::Call shown;
  ASSERT_TRUE(Ask(*stub, &Stub::StubInterface::GetCall, wanted, &shown).ok());
  EXPECT_EQ(shown.ladder(0).message(), "INVITE sip:\\x80");
}

TEST(ApplicationGateway, GivesUpOnABusySignallingThread) {
  FakeAgent agent({.socket_path = {}, .answer_within = milliseconds(50), .monitors = {}});
  std::promise<void> released;
  agent.signalling.Post([&] { released.get_future().wait(); });
  v1::AgentStatus response;
  const auto stub = Connect(agent.socket);
  const grpc::Status status =
      Ask(*stub, &Stub::StubInterface::GetStatus, v1::GetStatusRequest(), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(status.error_message(), HasSubstr("agent busy"));
  released.set_value();
  // The question nobody waits for any more is not answered; the next one is.
  EXPECT_TRUE(Ask(*stub, &Stub::StubInterface::GetStatus, v1::GetStatusRequest(), &response).ok());
  EXPECT_EQ(agent.source.asked.load(), 1);
}

TEST(ApplicationGateway, SaysSoWhenTheAgentTakesNoQuestions) {
  FakeAgent agent;
  agent.signalling.Refuse();
  v1::AgentStatus response;
  EXPECT_EQ(Ask(*Connect(agent.socket), &Stub::StubInterface::GetStatus, v1::GetStatusRequest(),
                &response)
                .error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST(ApplicationGateway, MonitorsSeeEventsAndStopEndsThem) {
  FakeAgent agent;
  const auto stub = Connect(agent.socket);
  grpc::ClientContext context;
  const auto reader = stub->Monitor(&context, v1::MonitorRequest());
  reader->WaitForInitialMetadata();
  ASSERT_TRUE(agent.gateway->events().listened());
  agent.signalling.Run([&] {
    for (int i = 0; i < 3; ++i) {
      v1::Event event;
      event.set_what(fmt::format("packet {}\xff", i));
      agent.gateway->events().Publish(event);
    }
  });
  v1::Event event;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(reader->Read(&event));
    EXPECT_EQ(event.what(), fmt::format("packet {}\\xFF", i));
  }
  std::thread stopper([&] { agent.gateway->Stop(); });
  EXPECT_FALSE(reader->Read(&event));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  stopper.join();
}

TEST(ApplicationGateway, OneMonitorTooManyIsRefusedAndAVanishedOneMakesRoom) {
  FakeAgent agent({.socket_path = {}, .monitors = {.subscribers = 1, .queue = 8}});
  const auto stub = Connect(agent.socket);
  v1::Event event;
  {
    grpc::ClientContext context;
    const auto reader = stub->Monitor(&context, v1::MonitorRequest());
    reader->WaitForInitialMetadata();
    grpc::ClientContext second;
    const auto refused = stub->Monitor(&second, v1::MonitorRequest());
    EXPECT_FALSE(refused->Read(&event));
    EXPECT_EQ(refused->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    context.TryCancel();
    EXPECT_FALSE(reader->Read(&event));
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (agent.gateway->events().listened() && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_FALSE(agent.gateway->events().listened());
}

// Stop is called on the signalling thread itself while questions wait for that very thread.
TEST(ApplicationGateway, StopFromTheSignallingThreadDoesNotDeadlock) {
  FakeAgent agent({.socket_path = {}, .answer_within = milliseconds(60000), .monitors = {}});
  std::promise<void> released;
  std::atomic<bool> waiting = false;
  agent.signalling.Post([&] {
    waiting = true;
    released.get_future().wait();
    agent.gateway->Stop();
  });
  const auto stub = Connect(agent.socket);
  std::vector<std::future<grpc::StatusCode>> codes;
  for (int i = 0; i < 4; ++i) {
    codes.push_back(std::async(std::launch::async, [&] {
      v1::AgentStatus response;
      return Ask(*stub, &Stub::StubInterface::GetStatus, v1::GetStatusRequest(), &response)
          .error_code();
    }));
  }
  while (!waiting) std::this_thread::yield();
  std::this_thread::sleep_for(milliseconds(50));  // lets the questions arrive; either way is right
  released.set_value();
  for (auto& code : codes) EXPECT_EQ(code.get(), grpc::StatusCode::UNAVAILABLE);
  agent.signalling.Run([] {});
  EXPECT_EQ(agent.source.asked.load(), 0);
}

// Many readers, monitors and publishing at once, ended by Stop in the middle: for ThreadSanitizer.
TEST(ApplicationGateway, SurvivesStoppingUnderLoad) {
  FakeAgent agent;
  agent.source.status.set_name("lab");
  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0;
  std::atomic<int> shown = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      const auto stub = Connect(agent.socket);
      while (!stop) {
        v1::AgentStatus response;
        if (Ask(*stub, &Stub::StubInterface::GetStatus, v1::GetStatusRequest(), &response).ok()) {
          ++answered;
        }
      }
    });
    clients.emplace_back([&] {
      const auto stub = Connect(agent.socket);
      grpc::ClientContext context;
      const auto reader = stub->Monitor(&context, v1::MonitorRequest());
      v1::Event event;
      while (reader->Read(&event)) ++shown;
      EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
    });
  }
  std::thread publisher([&] {
    while (!stop) {
      agent.signalling.Post([&] { agent.gateway->events().Publish(v1::Event()); });
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while ((answered < 50 || shown < 300) && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(milliseconds(2));
  }
  EXPECT_GE(answered.load(), 50);
  EXPECT_GE(shown.load(), 300);
  agent.gateway->Stop();
  stop = true;
  publisher.join();
  for (std::thread& client : clients) client.join();
  agent.signalling.Run([] {});  // the last closures run with the gateway still there
}

}  // namespace
}  // namespace stem
