// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/packet_corpus.h"

#include <utility>

namespace stem {
namespace {

constexpr char kCaller[] = "192.0.2.10", kCallee[] = "198.51.100.20";
constexpr char kCaller6[] = "2001:db8:1::10", kCallee6[] = "2001:db8:2::20";
constexpr uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;

class Corpus {
 public:
  std::vector<CorpusPacket> Take() && {
    Link();
    Ip();
    Fragments();
    Signalling();
    Media();
    Connections();
    return std::move(packets_);
  }

 private:
  void Add(std::string name, const Packet& packet, stem_side side = STEM_SIDE_OUTSIDE) {
    packets_.push_back({std::move(name), packet.Build(), side});
  }
  // The same over IPv4 and IPv6.
  void AddBoth(const std::string& name, const Layer& layer, std::string_view payload) {
    Add(name, Ethernet() / Ipv4(kCaller, kCallee) / layer / payload);
    Add(name + ", v6", Ethernet() / Ipv6(kCaller6, kCallee6) / layer / payload);
  }

  void Link() {
    Add("arp", Ethernet() / Arp());
    Add("lldp", Ethernet(0x88cc) / "lldp");
    Add("ethernet alone", Ethernet(0x0800));
    const Layer ip = Ipv4(kCaller, kCallee);
    Add("one tag", Ethernet() / Vlan(7) / ip / Icmp());
    Add("two tags", Ethernet() / Vlan(7, 0x88a8) / Vlan(8) / ip / Icmp());
    Add("three tags", Ethernet() / Vlan(7) / Vlan(8) / Vlan(9) / ip / Icmp());
    Add("tagged media", Ethernet() / Vlan(7) / ip / Udp(4000, 30000) / Rtp({.sequence = 50}));
    Add("tagged ipv6", Ethernet() / Vlan(7) / Ipv6(kCaller6, kCallee6) / Udp(1, 2) / "x");
  }

  void Ip() {
    const auto v4 = [&](Ipv4Options options) {
      return Ethernet() / Ipv4(kCaller, kCallee, options) / Udp(4000, 53) / "query";
    };
    Add("no pinhole", v4({}));
    Add("options", v4({.option_words = 3}));
    Add("short header", v4({.wrong_header_words = 4}));
    Add("header beyond the packet", v4({.wrong_header_words = 15}));
    Add("total length too large", v4({.wrong_total_length = 2000}));
    Add("total length too small", v4({.wrong_total_length = 19}));
    Add("version 5", v4({.wrong_version = 5}));
    Add("ttl 1", Ethernet() / Ipv4(kCaller, kCallee, {.ttl = 1}) / Udp(4000, 30000) / Rtp({}));
    Add("udp length too large", Ethernet() / Ipv4(kCaller, kCallee) / Udp(1, 2, 500) / "x");
    Add("udp length too small", Ethernet() / Ipv4(kCaller, kCallee) / Udp(1, 2, 7) / "x");
    Add("icmp", Ethernet() / Ipv4(kCaller, kCallee) / Icmp());
    Add("icmp of the other family", Ethernet() / Ipv4(kCaller, kCallee) / Icmpv6());
    Add("icmpv6", Ethernet() / Ipv6(kCaller6, kCallee6) / Icmpv6());
    Add("payload length too large",
        Ethernet() / Ipv6(kCaller6, kCallee6, {.wrong_payload_length = 900}) / Udp(1, 2) / "x");
    Add("gre", Ethernet() / Ipv4(kCaller, kCallee) / Layer{Layer::Kind::kOther, 47, Bytes(16)});
    Add("blocked", Ethernet() / Ipv4("192.0.2.66", kCallee) / Icmp());
    Add("from inside", Ethernet() / Ipv4(kCallee, kCaller) / Udp(1, 2) / "x", STEM_SIDE_INSIDE);
    for (const uint8_t next : {0, 43, 51, 60, 135, 139, 140}) {
      Add("extension " + std::to_string(next),
          Ethernet() / Ipv6(kCaller6, kCallee6) / Extension(next) / Udp(4000, 30000) / Rtp({}));
    }
    Packet chain = Ethernet() / Ipv6(kCaller6, kCallee6);
    for (int i = 0; i < 6; ++i) chain = std::move(chain) / Extension(60);
    Add("six extensions", chain / Udp(4000, 53) / "x");
    Add("seven extensions", chain / Extension(0) / Udp(4000, 53) / "x");
  }

  void Fragments() {
    const auto v4 = [&](uint16_t field, uint16_t id, uint16_t to) {
      return Ethernet() / Ipv4(kCaller, kCallee, {.fragment_field = field, .id = id}) /
             Udp(5060, to) / "INVITE sip:b";
    };
    Add("later without first", v4(3, 8, 5060));
    Add("first of sip", v4(0x2000, 9, 5060));
    Add("middle of sip", v4(0x2003, 9, 5060));
    Add("last of sip", v4(6, 9, 5060));
    Add("first of media", Ethernet() / Ipv4(kCaller, kCallee, {.fragment_field = 0x2000}) /
                              Udp(4000, 30000) / Rtp({}));
    Add("first of tcp",
        Ethernet() / Ipv4(kCaller, kCallee, {.fragment_field = 0x2000, .id = 4}) / Tcp(1, 22));
    Add("later of tcp",
        Ethernet() / Ipv4(kCaller, kCallee, {.fragment_field = 4, .id = 4}) / Tcp(1, 22));
    const auto v6 = [&](uint16_t offset, bool more, uint32_t id, uint16_t to) {
      return Ethernet() / Ipv6(kCaller6, kCallee6) / Fragment6(id, offset, more) / Udp(5060, to) /
             "INVITE sip:b";
    };
    Add("first of sip, v6", v6(0, true, 70000, 5060));
    Add("later of sip, v6", v6(16, false, 70000, 5060));
    Add("later without first, v6", v6(16, false, 70001, 5060));
    Add("atomic", v6(0, false, 70002, 30000));
    Add("two fragment headers", Ethernet() / Ipv6(kCaller6, kCallee6) / Fragment6(1, 0, true) /
                                    Fragment6(2, 0, true) / Udp(1, 2) / "x");
  }

  void Signalling() {
    for (const char* text :
         {"INVITE sip:b@a.org SIP/2.0", "REGISTER sip:a.org SIP/2.0", "OPTIONS sip:b SIP/2.0",
          "SIP/2.0 200 OK", "invi", "SIP", "", "\r\n"}) {
      AddBoth(std::string("sip ") + text, Udp(5060, 5060), text);
    }
    Add("response from a SIP port",
        Ethernet() / Ipv4(kCaller, kCallee) / Udp(5060, 40000) / "SIP/");
    for (int i = 0; i < 4; ++i) {
      Add("more sip", Ethernet() / Ipv4("192.0.2.11", kCallee) / Udp(5060, 5060) / "INVITE sip:b");
    }
    Add("sip from inside", Ethernet() / Ipv4(kCallee, kCaller) / Udp(5060, 5060) / "INVITE sip:c",
        STEM_SIDE_INSIDE);
  }

  void Media() {
    const auto rtp = [&](const std::string& name, uint16_t port, RtpFields fields) {
      AddBoth(name, Udp(4000, port), Rtp(fields));
    };
    for (const uint16_t sequence :
         {1000, 1001, 1003, 1002, 1001, 1003, 1040, 992, 991, 5000, 5001}) {
      rtp("rtp " + std::to_string(sequence), 30000, {.sequence = sequence});
    }
    rtp("another ssrc", 30000, {.sequence = 1041, .ssrc = 77});
    rtp("payload type that was not negotiated", 30000, {.sequence = 1042, .payload_type = 9});
    rtp("too large", 30000, {.sequence = 1043, .payload = 400});
    rtp("version 1", 30000, {.sequence = 1044, .version = 1});
    AddBoth("no rtp", Udp(4000, 30000), "hello, world");
    AddBoth("rtp cut short", Udp(4000, 30000), Rtp({.sequence = 1045}).substr(0, 11));
    AddBoth("rtcp where none belongs", Udp(4000, 30000), Rtcp(200));
    AddBoth("rtcp", Udp(4000, 30002), Rtcp(200));
    AddBoth("rtcp longer than it is", Udp(4000, 30002), Rtcp(201, 9));
    AddBoth("rtcp, too short", Udp(4000, 30002), Rtcp(201, 0, 7));
    AddBoth("rtp among rtcp", Udp(4000, 30002), Rtp({}));
    std::string stun(20, '\0');
    stun.replace(4, 4, "\x21\x12\xa4\x42");
    const std::string dtls("\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", 13);
    for (const uint16_t port : {30000, 30004}) {  // only the second has negotiated them
      AddBoth("stun", Udp(4000, port), stun);
      AddBoth("stun without its cookie", Udp(4000, port), std::string(20, '\0'));
      AddBoth("dtls", Udp(4000, port), dtls);
    }
    AddBoth("wrong port", Udp(4001, 30000), Rtp({}));
    Add("wrong address", Ethernet() / Ipv4("192.0.2.11", kCallee) / Udp(4000, 30000) / Rtp({}));
    Add("wrong side", Ethernet() / Ipv4(kCaller, kCallee) / Udp(4000, 30000) / Rtp({}),
        STEM_SIDE_INSIDE);
    // Who comes first latches.
    for (const uint16_t port : {4100, 4100, 4101}) {
      AddBoth("latch", Udp(port, 30006), Rtp({.sequence = static_cast<uint16_t>(port - 4000)}));
    }
    for (uint16_t i = 0; i < 5; ++i) {
      AddBoth("policed", Udp(4000, 30008), Rtp({.sequence = i}));
    }
    AddBoth("anybody", Udp(9, 30010), "udptl");
    AddBoth("any port of the address", Udp(9, 30012), "udptl");
  }

  void Connections() {
    const auto segment = [&](const std::string& name, std::string_view from, uint8_t flags) {
      Add(name, Ethernet() / Ipv4(from, kCallee) / Tcp(1234, 5061, flags, 77));
    };
    for (int i = 0; i < 4; ++i) segment("syn", kCaller, kSyn);
    for (const char* from : {"192.0.2.20", "192.0.2.21", "192.0.2.22"}) {
      segment("syn of a new source", from, kSyn);
    }
    segment("ack", kCaller, kAck);
    segment("syn and ack", kCaller, kSyn | kAck);
    segment("syn and fin", kCaller, kSyn | kFin);
    segment("rst", kCaller, kRst);
    Add("syn, v6", Ethernet() / Ipv6(kCaller6, kCallee6) / Tcp(1234, 5061));
    Add("syn, options",
        Ethernet() / Ipv4("192.0.2.23", kCallee, {.option_words = 2}) / Tcp(1, 5061));
    Bytes long_syn = (Ethernet() / Ipv4("192.0.2.24", kCallee) / Tcp(1, 5061)).Build();
    long_syn.insert(long_syn.end(), 200, 0xaa);
    packets_.push_back({"syn with a trailer", long_syn});
    Add("tcp cut short",
        Ethernet() / Ipv4(kCaller, kCallee) / Layer{Layer::Kind::kOther, 6, Bytes(19)});
    Add("ssh", Ethernet() / Ipv4(kCaller, kCallee) / Tcp(1234, 22, kAck));
    Add("out, to a SIP port", Ethernet() / Ipv4(kCallee, kCaller) / Tcp(1234, 5060),
        STEM_SIDE_INSIDE);
    Add("out, elsewhere", Ethernet() / Ipv4(kCallee, kCaller) / Tcp(1234, 443), STEM_SIDE_INSIDE);
  }

  std::vector<CorpusPacket> packets_;
};

}  // namespace

std::vector<CorpusPacket> PacketCorpus() { return Corpus().Take(); }

std::vector<CorpusPinhole> CorpusPinholes() {
  constexpr uint16_t kExtras = STEM_EXTRA_STUN | STEM_EXTRA_DTLS;
  return {
      {.port = 30000,
       .match = STEM_PEER_ENDPOINT,
       .media = STEM_MEDIA_RTP,
       .max_length = 300,
       .payload_types = 1},
      {.port = 30002, .match = STEM_PEER_ENDPOINT, .media = STEM_MEDIA_RTCP},
      {.port = 30004, .match = STEM_PEER_ENDPOINT, .media = STEM_MEDIA_RTP_RTCP, .extras = kExtras},
      {.port = 30006, .match = STEM_PEER_LATCH, .media = STEM_MEDIA_RTP},
      // One packet of 200 bytes more than four would take half a minute.
      {.port = 30008,
       .match = STEM_PEER_ENDPOINT,
       .media = STEM_MEDIA_RTP,
       .bytes_per_second = 10,
       .burst = 700},
      {.port = 30010, .match = STEM_PEER_ANY, .media = STEM_MEDIA_UDP},
      {.port = 30012, .match = STEM_PEER_ADDRESS, .media = STEM_MEDIA_UDP},
  };
}

}  // namespace stem
