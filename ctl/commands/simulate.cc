// SPDX-License-Identifier: Apache-2.0
// stemctl simulate
#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "common/status_macros.h"
#include "ctl/commands/choice.h"
#include "ctl/commands/commands.h"
#include "ctl/data_plane_view.h"
#include "ctl/simulate/capture.h"
#include "ctl/simulate/frame.h"

namespace stem::ctl {
namespace {

constexpr int kAtOnce = 500;  // packets in one question

struct Typed {
  v1::Side from = v1::SIDE_UNSPECIFIED;
  uint32_t queue = 0;
  std::string capture;
  std::string source;
  std::string destination;
  std::string payload_hex;
  std::string rtp;
  std::string sip;
  std::string flags = "syn";
};

absl::StatusOr<std::string> Payload(const Typed& typed, const PacketDescription& packet) {
  if (!typed.rtp.empty()) return RtpPayload(typed.rtp);
  if (!typed.sip.empty()) return SipPayload(typed.sip, packet);
  const bool hex =
      typed.payload_hex.size() % 2 == 0 &&
      typed.payload_hex.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
  if (!hex) {
    return absl::InvalidArgumentError("--payload-hex: write two hexadecimal digits for each byte");
  }
  return absl::HexStringToBytes(typed.payload_hex);
}

absl::StatusOr<std::string> Frame(const Typed& typed, Transport transport) {
  PacketDescription packet;
  packet.transport = transport;
  if (transport == Transport::kIcmp) {
    ASSIGN_OR_RETURN(packet.source.address, IpAddress::Parse(typed.source));
    ASSIGN_OR_RETURN(packet.destination.address, IpAddress::Parse(typed.destination));
  } else {
    ASSIGN_OR_RETURN(packet.source, Endpoint::Parse(typed.source));
    ASSIGN_OR_RETURN(packet.destination, Endpoint::Parse(typed.destination));
    ASSIGN_OR_RETURN(packet.tcp_flags, TcpFlags(typed.flags));
  }
  ASSIGN_OR_RETURN(packet.payload, Payload(typed, packet));
  return BuildFrame(packet);
}

// Questions of `kAtOnce` packets, their answers one after the other.
class Questions {
 public:
  Questions(AgentClient agent, const Typed& typed) : agent_(std::move(agent)), typed_(typed) {}

  absl::Status Add(CapturedPacket packet) {
    std::string words = DescribeFrame(packet.frame);
    if (!packet.whole) words += ", cut short";
    words_.push_back(std::move(words));
    v1::SimulatedPacket* asked = request_.add_packets();
    asked->set_frame(std::move(packet.frame));
    asked->set_from(typed_.from);
    asked->set_queue(typed_.queue);
    return request_.packets_size() < kAtOnce ? absl::OkStatus() : Ask();
  }

  absl::StatusOr<v1::SimulateResponse> Finish() {
    RETURN_IF_ERROR(Ask());
    return std::move(answers_);
  }

 private:
  absl::Status Ask() {
    if (request_.packets().empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(v1::SimulateResponse answer,
                     agent_.Ask(&AgentClient::DataPlaneStub::Simulate, request_));
    request_.Clear();
    for (v1::Simulation& one : *answer.mutable_simulations()) {
      one.set_packet(words_[static_cast<size_t>(answers_.simulations_size())]);
      answers_.add_simulations()->Swap(&one);
    }
    return absl::OkStatus();
  }

  AgentClient agent_;
  const Typed& typed_;
  std::vector<std::string> words_;  // of every packet
  v1::SimulateRequest request_;
  v1::SimulateResponse answers_;
};

ExitCode Show(Session& session, const absl::StatusOr<v1::SimulateResponse>& answers) {
  if (!answers.ok()) return session.Fail(answers.status());
  return session.Show(*answers,
                      [&](const Viewpoint& view) { return RenderSimulations(*answers, view); });
}

absl::StatusOr<v1::SimulateResponse> SimulateOne(Session& session, const Typed& typed,
                                                 Transport transport) {
  ASSIGN_OR_RETURN(std::string frame, Frame(typed, transport));
  ASSIGN_OR_RETURN(AgentClient agent, session.Agent());
  Questions questions(std::move(agent), typed);
  RETURN_IF_ERROR(questions.Add({std::move(frame), true}));
  return questions.Finish();
}

absl::StatusOr<v1::SimulateResponse> SimulateCapture(Session& session, const Typed& typed) {
  ASSIGN_OR_RETURN(AgentClient agent, session.Agent());
  Questions questions(std::move(agent), typed);
  RETURN_IF_ERROR(ReadCapture(
      typed.capture, [&](CapturedPacket packet) { return questions.Add(std::move(packet)); }));
  return questions.Finish();
}

}  // namespace

void AddSimulateCommand(CLI::App& app, Command* chosen) {
  const auto typed = std::make_shared<Typed>();
  CLI::App* simulate = app.add_subcommand(
      "simulate", "Asks the running data plane what it would do with a packet; nothing changes");
  simulate->add_option("--from", typed->from, "Where it arrives: outside or inside")
      ->transform(Choice<v1::Side>({{"outside", v1::SIDE_OUTSIDE}, {"inside", v1::SIDE_INSIDE}}))
      ->required()
      ->type_name("SIDE");
  simulate->add_option("--queue", typed->queue, "RX queue, 0 if not given")->type_name("N");
  CLI::Option* capture =
      simulate->add_option("--pcap", typed->capture, "Each packet of a capture file")
          ->type_name("FILE");
  simulate->require_subcommand(0, 1);
  simulate->callback([=] {
    if (!simulate->get_subcommands().empty()) {
      if (capture->count() > 0) {
        throw CLI::ValidationError("--pcap", "a capture or one packet, not both");
      }
      return;
    }
    if (capture->count() == 0) throw CLI::RequiredError("udp, tcp, icmp or --pcap");
    *chosen = [typed](Session& session) { return Show(session, SimulateCapture(session, *typed)); };
  });

  const auto add = [&](const char* name, const char* what, Transport transport) {
    CLI::App* one = simulate->add_subcommand(name, what);
    one->add_option("SOURCE", typed->source, "192.0.2.1:4000 (icmp: without port)")->required();
    one->add_option("DESTINATION", typed->destination)->required();
    one->callback([=] {
      *chosen = [typed, transport](Session& session) {
        return Show(session, SimulateOne(session, *typed, transport));
      };
    });
    return one;
  };
  CLI::App* udp = add("udp", "One datagram", Transport::kUdp);
  CLI::App* tcp = add("tcp", "One TCP segment", Transport::kTcp);
  add("icmp", "One echo request", Transport::kIcmp);
  CLI::Option* hex =
      udp->add_option("--payload-hex", typed->payload_hex, "Its payload")->type_name("HEX");
  CLI::Option* rtp = udp->add_option("--rtp", typed->rtp, "RTP: pt=0,ssrc=1,seq=1,size=160")
                         ->type_name("FIELDS")
                         ->excludes(hex);
  udp->add_option("--sip", typed->sip, "SIP: a method, or a status code")
      ->type_name("METHOD")
      ->excludes(hex)
      ->excludes(rtp);
  tcp->add_option("--flags", typed->flags, "syn (if not given), ack, fin, rst: syn,ack")
      ->type_name("FLAGS");
}

}  // namespace stem::ctl
