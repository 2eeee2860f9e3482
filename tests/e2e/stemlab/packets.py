# SPDX-License-Identifier: Apache-2.0
"""Frames by hand: VLAN tags, IPv4 options, IPv6 extension headers, fragments. Layers are functions
from what they carry to bytes, outermost first: ethernet(..., vlan(7, ipv4(..., udp(...))))."""

import dataclasses
import ipaddress
import json
import struct

from . import topology

ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN = 0x0800, 0x86DD, 0x8100
IPPROTO_TCP, IPPROTO_UDP, IPPROTO_FRAGMENT, IPPROTO_DESTINATION_OPTIONS = 6, 17, 44, 60


@dataclasses.dataclass(frozen=True)
class Layer:
    """Bytes, and the number by which the layer above calls them (EtherType or IP protocol)."""

    number: int
    data: bytes


def ones_complement_sum(data):
    """RFC 1071, before the final complement."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ethernet(source, destination, inner):
    """A whole frame; MAC addresses as bytes."""
    return destination + source + struct.pack("!H", inner.number) + inner.data


def vlan(identifier, inner, ethertype=ETHERTYPE_VLAN):
    return Layer(ethertype, struct.pack("!HH", identifier, inner.number) + inner.data)


def ipv4(source, destination, inner, options=b"", fragment=0, more=False):
    """fragment: offset of this one in units of 8 bytes; options: a multiple of 4 bytes."""
    words = 5 + len(options) // 4
    header = struct.pack(
        "!BBHHHBBH4s4s",
        0x40 | words,
        0,
        words * 4 + len(inner.data),
        1,
        (0x2000 if more else 0) | fragment,
        64,
        inner.number,
        0,
        ipaddress.IPv4Address(source).packed,
        ipaddress.IPv4Address(destination).packed,
    )
    header += options
    checksum = 0xFFFF ^ ones_complement_sum(header)
    return Layer(
        ETHERTYPE_IPV4, header[:10] + struct.pack("!H", checksum) + header[12:] + inner.data
    )


def ipv6(source, destination, inner):
    header = struct.pack("!IHBB", 6 << 28, len(inner.data), inner.number, 64)
    addresses = ipaddress.IPv6Address(source).packed + ipaddress.IPv6Address(destination).packed
    return Layer(ETHERTYPE_IPV6, header + addresses + inner.data)


def destination_options(inner):
    """An IPv6 extension header that says nothing: PadN (RFC 8200, 4.2 and 4.6)."""
    return Layer(
        IPPROTO_DESTINATION_OPTIONS,
        struct.pack("!BB6s", inner.number, 0, b"\x01\x04" + bytes(4)) + inner.data,
    )


def ipv6_fragment(number, data, offset, more):
    """Part of what an IPv6 packet carries, in the header of RFC 8200, 4.5; offset in bytes."""
    return Layer(
        IPPROTO_FRAGMENT, struct.pack("!BBHI", number, 0, offset | (1 if more else 0), 1) + data
    )


def fragments(source, destination, inner, size=1000):
    """`inner` between two addresses, in packets that carry `size` bytes of it (a multiple of 8)."""
    made = []
    for offset in range(0, len(inner.data), size):
        part = inner.data[offset : offset + size]
        more = offset + size < len(inner.data)
        if ":" in source:
            made.append(ipv6(source, destination, ipv6_fragment(inner.number, part, offset, more)))
        else:
            layer = Layer(inner.number, part)
            made.append(ipv4(source, destination, layer, fragment=offset // 8, more=more))
    return made


def udp(source, source_port, destination, destination_port, payload):
    """Addresses are for the checksum."""
    length = 8 + len(payload)
    pseudo = (
        ipaddress.ip_address(source).packed
        + ipaddress.ip_address(destination).packed
        + struct.pack("!HH", IPPROTO_UDP, length)
    )
    header = struct.pack("!HHHH", source_port, destination_port, length, 0)
    checksum = 0xFFFF ^ ones_complement_sum(pseudo + header + payload)
    return Layer(IPPROTO_UDP, header[:6] + struct.pack("!H", checksum or 0xFFFF) + payload)


def tcp_syn(source, source_port, destination, destination_port):
    """A connection attempt; addresses are for the checksum."""
    pseudo = (
        ipaddress.ip_address(source).packed
        + ipaddress.ip_address(destination).packed
        + struct.pack("!HH", IPPROTO_TCP, 20)
    )
    header = struct.pack(
        "!HHIIBBHHH", source_port, destination_port, 1, 0, 5 << 4, 0x02, 64240, 0, 0
    )
    checksum = 0xFFFF ^ ones_complement_sum(pseudo + header)
    return Layer(IPPROTO_TCP, header[:16] + struct.pack("!H", checksum) + header[18:])


class Wire:
    """Sends frames by hand from one side's eth0 to the firewall."""

    def __init__(self, lab, side):
        self._socket = lab.packet_socket(side)
        self._source = self._socket.getsockname()[4]
        # A ping first, so that the neighbour is known; it answers from the address asked.
        gateway = topology.GATEWAY[side].v4
        lab.run(side, ["ping", "-c1", "-W2", gateway])
        neighbour = json.loads(lab.run(side, ["ip", "-j", "neighbour", "show", gateway]).stdout)
        self._firewall = bytes.fromhex(neighbour[0]["lladdr"].replace(":", ""))

    def send(self, layer, count=1):
        """The layer (an IP packet, perhaps below VLAN tags) as an Ethernet frame, `count` times."""
        for _ in range(count):
            self._socket.send(ethernet(self._source, self._firewall, layer))

    def send_raw(self, frame):
        """A frame as it is."""
        self._socket.send(frame)

    def frames(self, layers):
        """Whole frames, to be sent again and again by send_raw."""
        return [ethernet(self._source, self._firewall, layer) for layer in layers]

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
