# SPDX-License-Identifier: Apache-2.0
"""RTP endpoints that account for every packet (RFC 3550): what was sent, what came from whom."""

import collections
import dataclasses
import secrets
import select
import struct
import threading
import time

from .waiting import eventually

INTERVAL = 0.020  # seconds of audio in a packet
PCMU_PACKET = bytes([0xFF]) * 160  # 20 ms of silence in G.711 mu-law


@dataclasses.dataclass(frozen=True)
class Received:
    time: float  # time.time()
    source: tuple  # address, port
    ssrc: int
    sequence: int


class RtpEndpoint:
    """One RTP socket of one host. Receives in the background from the start; sends on demand."""

    def __init__(self, lab, host, port, family=4, rtcp=False):
        self.rtcp = rtcp  # sends RTCP in the place of RTP
        self.host = host
        self.port = port
        self.family = family
        self.ssrc = secrets.randbits(32)
        self.sent = []  # sequence numbers, in order
        self.received = []  # Received, in order of arrival
        self._lab = lab
        self._socket = lab.udp_socket(host, port, family)
        self._sequence = secrets.randbits(15)
        self._peer = None
        self._interval = INTERVAL
        self._sending = threading.Event()
        self._turn = threading.Lock()  # held while the stream sends one packet
        self._closing = False
        self._threads = [
            threading.Thread(target=self._receive, daemon=True),
            threading.Thread(target=self._stream, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def address(self):
        return self.host.address(self.family)

    def close(self):
        self._closing = True
        self._sending.set()
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def start(self, peer, interval=INTERVAL):
        """Streams to peer (address, port) until pause(): a packet now and every 20 ms; with
        interval 0 one after the other, without a pause."""
        self._peer = peer
        self._interval = interval
        self._sending.set()

    def pause(self):
        """When this returns no more is sent."""
        self._sending.clear()
        with self._turn:
            pass

    def continue_as(self, other):
        """Goes on with other's stream: its SSRC, the numbers after its last."""
        self.ssrc = other.ssrc
        self._sequence = other._sequence

    def send(self, peer, count=1):
        """Sends `count` packets now, without pauses."""
        for _ in range(count):
            self._send_one(peer)

    def next_packet(self):
        """The RTP packet to be sent next, counted as sent: for frames made by hand."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        self.sent.append(self._sequence)
        if self.rtcp:  # an APP packet, RFC 3550, 6.7
            return struct.pack("!BBHI4sI", 0x80, 204, 3, self.ssrc, b"STEM", self._sequence)
        return (
            struct.pack(
                "!BBHII", 0x80, 0, self._sequence, len(self.sent) * 160 & 0xFFFFFFFF, self.ssrc
            )
            + PCMU_PACKET
        )

    def from_endpoint(self, other):
        """Sequence numbers that came here with other's SSRC, from where other really is."""
        return [
            r.sequence
            for r in list(self.received)
            if r.ssrc == other.ssrc and r.source == (other.address, other.port)
        ]

    def wait_for_packets(self, other, count, timeout=10.0):
        """Waits until at least `count` packets of other have come."""
        eventually(
            lambda: len(self.from_endpoint(other)) >= count,
            lambda: f"{self.host.name} receives {count} packets of {other.host.name},"
            f" has {len(self.from_endpoint(other))} of {len(other.sent)} sent",
            timeout,
        )

    def wait_for_all(self, other, timeout=5.0):
        """Waits until everything other has sent is here, and asserts: in order, nothing twice."""
        eventually(
            lambda: len(self.from_endpoint(other)) >= len(other.sent),
            lambda: f"{self.host.name} misses packets of {other.host.name}: {missing(self, other)}",
            timeout,
        )
        assert self.from_endpoint(other) == other.sent

    def _send_one(self, peer):
        packet = self.next_packet()
        self._socket.sendto(packet, peer)

    def _stream(self):
        due = time.monotonic()
        while True:
            if not self._sending.is_set():
                self._sending.wait()
                due = time.monotonic()
            if self._closing:
                return
            with self._turn:
                if self._sending.is_set() and not self._closing:
                    self._send_one(self._peer)
            due += self._interval
            if self._interval:
                time.sleep(max(0.0, due - time.monotonic()))

    def _receive(self):
        while not self._closing:
            ready, _, _ = select.select([self._socket], [], [], 0.05)
            if not ready:
                continue
            data, source = self._socket.recvfrom(2048)
            if len(data) < 12 or data[0] >> 6 != 2:
                continue
            if 192 <= data[1] <= 223:  # RFC 5761, 4
                ssrc, _, sequence = struct.unpack_from("!I4sI", data, 4)
            else:
                sequence, _, ssrc = struct.unpack_from("!HII", data, 2)
            self.received.append(Received(time.time(), source[:2], ssrc, sequence))


def missing(receiver, sender):
    """Sequence numbers sent but not received, in the order sent."""
    here = collections.Counter(receiver.from_endpoint(sender))
    return [sequence for sequence in sender.sent if not here[sequence]]
