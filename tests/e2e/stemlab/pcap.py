# SPDX-License-Identifier: Apache-2.0
"""tcpdump as a witness: captures on one side of the lab, and a reader of what they hold."""

import dataclasses
import ipaddress
import itertools
import os
import struct

from .packets import ones_complement_sum
from .waiting import eventually

_MARKERS = itertools.count()
_ETHERTYPE_IPV4, _ETHERTYPE_IPV6, _ETHERTYPE_VLANS = 0x0800, 0x86DD, (0x8100, 0x88A8)
_IPV6_EXTENSIONS = (0, 43, 60)  # hop-by-hop, routing, destination options: type, length, ...
_UDP = 17


@dataclasses.dataclass(frozen=True)
class UdpPacket:
    """One UDP packet as it was on the wire."""

    time: float  # seconds since the epoch
    source: str
    source_port: int
    destination: str
    destination_port: int
    payload: bytes
    hops: int  # TTL or hop limit
    checksum_ok: bool

    @property
    def is_rtp(self):
        """Version 2 and a payload type that is not RTCP's (RFC 5761, 4)."""
        return (
            len(self.payload) >= 12
            and self.payload[0] >> 6 == 2
            and not 64 <= self.payload[1] & 0x7F <= 95
        )

    @property
    def sequence(self):
        return struct.unpack_from("!H", self.payload, 2)[0]

    @property
    def sip_start_line(self):
        """First line when this is SIP, else None."""
        line = self.payload.split(b"\r\n", 1)[0]
        return line.decode() if b"SIP/2.0" in line else None

    @property
    def sip_cseq(self):
        for line in self.payload.split(b"\r\n"):
            if line.lower().startswith(b"cseq:"):
                return line.split(b":", 1)[1].strip().decode()
        return None


def read_udp(data):
    """The UDP packets of a capture file's bytes; an unfinished packet at the end is left out."""
    if len(data) < 24:
        return
    magic = struct.unpack_from("<I", data)[0]
    fraction = {0xA1B2C3D4: 1e-6, 0xA1B23C4D: 1e-9}[magic]
    position = 24
    while position + 16 <= len(data):
        seconds, part, captured, _ = struct.unpack_from("<IIII", data, position)
        position += 16
        if position + captured > len(data):
            return
        packet = _parse(seconds + part * fraction, data[position : position + captured])
        position += captured
        if packet:
            yield packet


def _parse(time, frame):
    ethertype, offset = struct.unpack_from("!H", frame, 12)[0], 14
    while ethertype in _ETHERTYPE_VLANS:
        ethertype, offset = struct.unpack_from("!H", frame, offset + 2)[0], offset + 4
    if ethertype == _ETHERTYPE_IPV4:
        protocol, hops = frame[offset + 9], frame[offset + 8]
        source, destination = frame[offset + 12 : offset + 16], frame[offset + 16 : offset + 20]
        offset += (frame[offset] & 0x0F) * 4
    elif ethertype == _ETHERTYPE_IPV6:
        protocol, hops = frame[offset + 6], frame[offset + 7]
        source, destination = frame[offset + 8 : offset + 24], frame[offset + 24 : offset + 40]
        offset += 40
        while protocol in _IPV6_EXTENSIONS:
            protocol, offset = frame[offset], offset + (frame[offset + 1] + 1) * 8
    else:
        return None
    if protocol != _UDP:
        return None
    source_port, destination_port, length, checksum = struct.unpack_from("!HHHH", frame, offset)
    datagram = frame[offset : offset + length]
    return UdpPacket(
        time,
        str(ipaddress.ip_address(source)),
        source_port,
        str(ipaddress.ip_address(destination)),
        destination_port,
        bytes(datagram[8:]),
        hops,
        (checksum == 0 and len(source) == 4)
        or ones_complement_sum(source + destination + struct.pack("!HH", _UDP, length) + datagram)
        == 0xFFFF,
    )


class Capture:
    """tcpdump on one interface of the lab, from construction to stop()."""

    def __init__(self, lab, side, interface="eth0", name=None):
        self._lab = lab
        self._side = side
        name = name or f"capture-{side}-{interface}"
        self.path = lab.directory / f"{name}.pcap"
        self.path.unlink(missing_ok=True)
        self._tcpdump = lab.start(
            side,
            # -Z root: it may write where root may. -s: slots of the buffer are as large as this.
            ["tcpdump", "-Z", "root", "-i", interface, "-n", "-U", "--immediate-mode",
             "-s", "2048", "-B", "65536", "-w", self.path, "ip or ip6 or vlan"],
            name,
        )  # fmt: skip
        self._tcpdump.wait_for("listening on")

    def packets(self):
        """All UDP packets captured up to now, in the order of the wire."""
        self._flush()
        return list(read_udp(self.path.read_bytes()))

    def stop(self):
        """All packets, as packets(). A capture that missed any is no witness, and fails."""
        packets = self.packets()
        self._tcpdump.stop()
        self._tcpdump.wait_for("^0 packets dropped by kernel")
        return packets

    def kill(self):
        self._tcpdump.kill()

    def _flush(self):
        """Pings the firewall and waits until the capture shows it: then everything before it is
        there too. ICMP, because UDP would change the counters that tests look at."""
        marker = f"marker {os.getpid()} {next(_MARKERS)} ".encode()
        self._lab.ping(self._side, marker)
        eventually(
            lambda: marker in self.path.read_bytes(), f"tcpdump on {self._side} shows the ping"
        )
