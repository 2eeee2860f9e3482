# SPDX-License-Identifier: Apache-2.0
"""A SIP terminal that a test drives step by step (RFC 3261, UDP): it says what it is told, when it
is told, and keeps everything it hears. It retransmits nothing, so what is lost is seen."""

import collections
import itertools
import re
import secrets
import select
import time
import typing

from . import topology
from .waiting import TimedOut

_COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
}


class Message:
    """A request or response; header names are compared without case."""

    def __init__(self, start_line, headers, body=""):
        self.start_line = start_line
        self.headers = list(headers)
        self.body = body

    @classmethod
    def parse(cls, data):
        head, _, body = data.decode().partition("\r\n\r\n")
        start_line, *lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
        headers = [(n.strip(), v.strip()) for n, _, v in (line.partition(":") for line in lines)]
        return cls(start_line, headers, body)

    def bytes(self):
        lines = [self.start_line, *(f"{name}: {value}" for name, value in self.headers)]
        if self.body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(self.body.encode())}")
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode()

    def all(self, name):
        """Values of every header of that name, comma-separated lists of URIs taken apart."""
        values = [v for n, v in self.headers if _COMPACT.get(n.lower(), n.lower()) == name]
        if name in ("via", "record-route", "route"):
            values = [part.strip() for value in values for part in value.split(",")]
        return values

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None

    @property
    def status(self):
        """Of a response; None for a request."""
        return int(self.start_line.split()[1]) if self.start_line.startswith("SIP/2.0 ") else None

    @property
    def method(self):
        return self.get("cseq").split()[1]

    @property
    def cseq(self):
        return int(self.get("cseq").split()[0])

    @property
    def branch(self):
        return re.search(r"branch=([^;,\s]+)", self.get("via"))[1]

    @property
    def media(self):
        """(address, port) of the first stream in the SDP body; None without one."""
        address = re.search(r"^c=IN IP[46] (\S+)", self.body, re.MULTILINE)
        port = re.search(r"^m=\w+ (\d+)", self.body, re.MULTILINE)
        return (address[1], int(port[1])) if address and port else None

    def __repr__(self):
        return f"<{self.start_line} | {self.get('cseq')} | {self.get('call-id')}>"


def tag_of(value):
    match = re.search(r";\s*tag=([^;\s]+)", value)
    return match[1] if match else None


def uri_of(value):
    match = re.search(r"<([^>]*)>", value)
    return match[1] if match else value.split(";")[0].strip()


def sdp(address, port, direction=None):
    """An offer or answer with one PCMU stream to address:port (RFC 8866, RFC 3264)."""
    kind = "IP6" if ":" in address else "IP4"
    lines = [
        "v=0",
        f"o=- {secrets.randbits(31)} 1 IN {kind} {address}",
        "s=-",
        f"c=IN {kind} {address}",
        "t=0 0",
        f"m=audio {port} RTP/AVP 0",
        "a=rtpmap:0 PCMU/8000",
    ]
    if direction:
        lines.append(f"a={direction}")
    return "\r\n".join(lines) + "\r\n"


class MediaAddress(typing.NamedTuple):
    """Where an offer says that media should go, without anybody being there."""

    address: str
    port: int


class Terminal:
    """One SIP socket of one host, for any number of calls."""

    def __init__(self, lab, host, user, port=topology.SIP_PORT, family=4):
        self.host = host
        self.user = user
        self.port = port
        self.family = family
        self.heard = []  # every message received, in order
        self._lab = lab
        self._socket = lab.udp_socket(host, port, family)
        self._inbox = collections.deque()
        self._calls = itertools.count(1)

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def address(self):
        return self.host.address(self.family)

    @property
    def contact(self):
        return f"<sip:{self.user}@{topology.bracketed(self.address)}:{self.port}>"

    def via(self, branch):
        sent_by = f"{topology.bracketed(self.address)}:{self.port}"
        return f"SIP/2.0/UDP {sent_by};branch={branch};rport"

    def send(self, message, to):
        """Sends to (address, port)."""
        self._socket.sendto(message.bytes(), to)

    def send_bytes(self, data, to):
        self._socket.sendto(data, to)

    def wait_for(self, accept, what, timeout=5.0):
        """The first message heard, not taken yet, that accept() takes. Others stay for others."""
        deadline = time.monotonic() + timeout
        while True:
            for message in self._inbox:
                if accept(message):
                    self._inbox.remove(message)
                    return message
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._socket], [], [], left)[0]:
                raise TimedOut(
                    f"{self.host.name} waited {timeout:g} s for {what}; heard so far: {self.heard}"
                )
            self._take()

    def hears_nothing(self, accept, what, duration=0.5):
        """Asserts that no message that accept() takes comes within `duration` seconds."""
        try:
            message = self.wait_for(accept, what, duration)
        except TimedOut:
            return
        raise AssertionError(f"{self.host.name} heard {message}, but should not hear {what}")

    def _take(self):
        data, source = self._socket.recvfrom(65535)
        if not data.strip():
            return
        message = Message.parse(data)
        message.source = source[:2]
        self.heard.append(message)
        self._inbox.append(message)

    def invite(self, user, media, proxy=topology.PROXY, caller=None, uri=None, **options):
        """Calls a user through the proxy (or the host given) and returns the OutgoingCall.

        media: an RtpEndpoint (or MediaAddress) to offer, or None for an INVITE without an offer.
        caller: URI of From. uri: Request-URI, by default the user's address of record.
        """
        return OutgoingCall(
            self,
            (proxy.address(self.family), topology.SIP_PORT),
            uri or topology.uri(user),
            sdp(media.address, media.port) if media else "",
            caller or f"sip:{self.user}@outside.example",
            **options,
        )

    def outside_dialog(self, method, uri, proxy=topology.PROXY):
        """Sends a request that belongs to no call, and returns it."""
        message = Message(
            f"{method} {uri} SIP/2.0",
            [
                ("Via", self.via(new_branch())),
                ("From", f"<sip:{self.user}@outside.example>;tag={secrets.token_hex(4)}"),
                ("To", f"<{uri}>"),
                ("Call-ID", f"{secrets.token_hex(8)}@{self.host.name}"),
                ("CSeq", f"1 {method}"),
                ("Contact", self.contact),
                ("Max-Forwards", "70"),
            ],
        )
        self.send(message, (proxy.address(self.family), topology.SIP_PORT))
        return message

    def wait_for_invite(self, timeout=5.0):
        """The next new call: an IncomingCall."""
        request = self.wait_for(
            lambda m: m.status is None and m.method == "INVITE" and not tag_of(m.get("to")),
            "an INVITE",
            timeout,
        )
        return IncomingCall(self, request)


class Dialog:
    """What both ends of a call do alike (RFC 3261, 12.2)."""

    def __init__(self, terminal, call_id, local, remote, peer):
        self.terminal = terminal
        self.call_id = call_id
        self.local = local  # our From or To, with tag
        self.remote = remote
        self.target = None  # remote Contact's URI
        self.routes = []
        self.cseq = 1
        self.peer = peer  # (address, port) of the next hop
        self.remote_media = None

    def request(self, method, body="", cseq=None, local=None, remote=None):
        """Sends a request inside the dialog and returns it. ACK keeps the INVITE's CSeq."""
        if cseq is None:
            if method != "ACK":
                self.cseq += 1
            cseq = self.cseq
        headers = [
            ("Via", self.terminal.via(new_branch())),
            *(("Route", route) for route in self.routes),
            ("From", local or self.local),
            ("To", remote or self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", self.terminal.contact),
            ("Max-Forwards", "70"),
        ]
        message = Message(f"{method} {self.target} SIP/2.0", headers, body)
        self.terminal.send(message, self.peer)
        return message

    def wait_for_status(self, status, method, timeout=5.0):
        """A response to our `method` with exactly this status."""
        return self.terminal.wait_for(
            lambda m: m.status == status
            and m.method == method
            and m.get("call-id") == self.call_id,
            f"{status} to {method} of {self.call_id}",
            timeout,
        )

    def wait_for_request(self, method, timeout=5.0):
        return self.terminal.wait_for(
            lambda m: m.status is None and m.method == method and m.get("call-id") == self.call_id,
            f"{method} of {self.call_id}",
            timeout,
        )

    def reply(self, request, status, reason, body="", headers=(), to=None):
        """Answers a request of the other end (RFC 3261, 8.2.6)."""
        copied = [
            (n, v)
            for n, v in request.headers
            if n.lower() in ("via", "record-route", "from", "call-id", "cseq")
        ]
        message = Message(
            f"SIP/2.0 {status} {reason}", [*copied, ("To", to or request.get("to")), *headers], body
        )
        self.terminal.send(message, request.source)
        return message

    def hang_up(self):
        """BYE, and waits for its 200, which is returned."""
        self.request("BYE")
        return self.wait_for_status(200, "BYE")

    def wait_for_hang_up(self):
        """Takes the other end's BYE and answers it."""
        request = self.wait_for_request("BYE")
        self.reply(request, 200, "OK")
        return request


class OutgoingCall(Dialog):
    """A call this terminal makes. The INVITE is sent by the constructor."""

    def __init__(self, terminal, peer, uri, offer, caller, call_id=None, branch=None):
        super().__init__(
            terminal,
            call_id or f"{secrets.token_hex(8)}@{terminal.host.name}",
            f"<{caller}>;tag={secrets.token_hex(4)}",
            f"<{uri}>",
            peer,
        )
        self.uri = uri
        self.branch = branch or new_branch()
        self.invite = Message(f"INVITE {uri} SIP/2.0", self._headers("INVITE"), offer)
        terminal.send(self.invite, peer)

    def _headers(self, method):
        return [
            ("Via", self.terminal.via(self.branch)),
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.cseq} {method}"),
            ("Contact", self.terminal.contact),
            ("Max-Forwards", "70"),
        ]

    def retransmit(self):
        """The same INVITE, byte for byte."""
        self.terminal.send(self.invite, self.peer)

    def wait_ringing(self, status=180):
        return self._learn(self.wait_for_status(status, "INVITE"))

    def wait_answer(self, timeout=5.0):
        """The 200, not acknowledged yet."""
        return self._learn(self.wait_for_status(200, "INVITE", timeout))

    def _learn(self, response):
        self.remote = response.get("to")
        if response.get("contact"):
            self.target = uri_of(response.get("contact"))
        self.routes = list(reversed(response.all("record-route")))
        if response.media:
            self.remote_media = response.media
        return response

    def ack(self, body=""):
        return self.request("ACK", body)

    def wait_failure(self, status, timeout=5.0):
        """A failure response with exactly this status, acknowledged (RFC 3261, 17.1.1.3)."""
        response = self.wait_for_status(status, "INVITE", timeout)
        self.acknowledge_failure(response)
        return response

    def acknowledge_failure(self, response):
        headers = [(n, v) for n, v in self._headers("ACK") if n != "To"]
        message = Message(f"ACK {self.uri} SIP/2.0", [*headers, ("To", response.get("to"))])
        self.terminal.send(message, self.peer)

    def cancel(self):
        """CANCEL: same branch and CSeq number as the INVITE (RFC 3261, 9.1). To has no tag."""
        headers = [(n, f"<{self.uri}>" if n == "To" else v) for n, v in self._headers("CANCEL")]
        self.terminal.send(Message(f"CANCEL {self.uri} SIP/2.0", headers), self.peer)


class IncomingCall(Dialog):
    """A call this terminal gets, from the INVITE on."""

    def __init__(self, terminal, invite):
        super().__init__(
            terminal,
            invite.get("call-id"),
            f"{invite.get('to')};tag={secrets.token_hex(4)}",
            invite.get("from"),
            invite.source,
        )
        self.invite = invite
        self.target = uri_of(invite.get("contact"))
        self.routes = invite.all("record-route")
        self.cseq = 100
        self.remote_media = invite.media

    def respond(self, status, reason, media=None):
        """Any response to the INVITE; with media (an RtpEndpoint) it carries SDP."""
        return self.reply(
            self.invite,
            status,
            reason,
            sdp(media.address, media.port) if media else "",
            [("Contact", self.terminal.contact)],
            to=self.local,
        )

    def ring(self, media=None):
        """180, or with media 183 and an early answer."""
        return (
            self.respond(183, "Session Progress", media) if media else self.respond(180, "Ringing")
        )

    def answer(self, media):
        return self.respond(200, "OK", media)

    def wait_ack(self):
        return self.wait_for_request("ACK")


def new_branch():
    return "z9hG4bK" + secrets.token_hex(8)
