#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the fuzzers' seeds: whole calls for fuzz_call_monitor, bodies for fuzz_session_description.

Usage: make_seeds.py FOLDER [CORPORA]
"""
import pathlib
import sys

SEPARATOR = "\x1e"


def sdp(address="203.0.113.10", port=4000, extra=""):
    return (
        f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n{extra}"
    )


ALICE = sdp()
BOB = sdp("198.51.100.20", 30000)


class Call:
    """The messages of one call from outside, its tags and Call-ID filled in."""

    def __init__(self, call_id="c1"):
        self.call_id = call_id

    def message(self, start, via, ends, cseq, body="", extra=""):
        (sender, sender_tag), (receiver, receiver_tag) = ends
        kind = "Content-Type: application/sdp\r\n" if body else ""
        tag = f";tag={receiver_tag}" if receiver_tag else ""
        return (
            f"{start}\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK{self.call_id}{cseq.replace(' ', '')}\r\n"
            f"From: <sip:{sender}@a.org>;tag={sender_tag}\r\nTo: <sip:{receiver}@a.org>{tag}\r\n"
            f"Call-ID: {self.call_id}\r\nCSeq: {cseq}\r\n{extra}{kind}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def caller(self, method, number, body="", tag="b1", extra=""):
        ends = (("alice", "a1"), ("bob", tag))
        start = f"{method} sip:bob@a.org SIP/2.0"
        return "O" + self.message(start, "203.0.113.10", ends, f"{number} {method}", body, extra)

    def callee(self, method, number, body=""):
        ends = (("bob", "b1"), ("alice", "a1"))
        start = f"{method} sip:alice@a.org SIP/2.0"
        return "I" + self.message(start, "198.51.100.20", ends, f"{number} {method}", body)

    def reply(self, status, cseq, body="", tag="b1", extra=""):
        ends = (("alice", "a1"), ("bob", tag))
        start = f"SIP/2.0 {status} Phrase"
        return "I" + self.message(start, "203.0.113.10", ends, cseq, body, extra)

    def reply_to_callee(self, status, cseq, body=""):
        ends = (("bob", "b1"), ("alice", "a1"))
        start = f"SIP/2.0 {status} Phrase"
        return "O" + self.message(start, "198.51.100.20", ends, cseq, body)


def scripts():
    c = Call()
    invite = c.caller("INVITE", 1, ALICE, tag="")
    answer = c.reply(200, "1 INVITE", BOB)
    ack = c.caller("ACK", 1)
    start = [invite, "A", answer, ack]
    bye = [c.caller("BYE", 2), c.reply(200, "2 BYE")]
    yield "call", start + bye
    yield "callee_hangs_up", start + [c.callee("BYE", 9), c.reply_to_callee(200, "9 BYE")]
    yield "refused", [invite, "R", invite, c.caller("ACK", 1)]
    yield "redirected", [invite, "M", c.caller("ACK", 1)]
    yield "dropped", [invite, "D", invite]
    yield "cancelled_held", [invite, c.caller("CANCEL", 1, tag=""), "A", c.caller("ACK", 1)]
    yield "cancelled", [
        invite,
        "A",
        c.reply(180, "1 INVITE"),
        c.caller("CANCEL", 1, tag=""),
        c.reply(200, "1 CANCEL"),
        c.reply(487, "1 INVITE"),
        c.caller("ACK", 1),
    ]
    yield "delayed_offer", [
        c.caller("INVITE", 1, tag=""),
        "A",
        answer,
        c.caller("ACK", 1, ALICE),
    ] + bye
    yield "prack", [
        c.caller("INVITE", 1, tag=""),
        "A",
        c.reply(183, "1 INVITE", BOB, extra="Require: 100rel\r\nRSeq: 1\r\n"),
        c.caller("PRACK", 2, ALICE, extra="RAck: 1 1 INVITE\r\n"),
        c.reply(200, "2 PRACK"),
        c.reply(200, "1 INVITE"),
        ack,
    ]
    yield "forks", [
        invite,
        "A",
        c.reply(183, "1 INVITE", BOB, tag="b2"),
        c.reply(183, "1 INVITE", sdp("198.51.100.21", 32000), tag="b3"),
        answer,
        ack,
    ]
    yield "update", [
        invite,
        "A",
        c.reply(183, "1 INVITE", BOB),
        c.caller("UPDATE", 2, sdp(port=4100)),
        c.reply(200, "2 UPDATE", BOB),
        answer,
    ]
    yield "reinvite", start + [
        c.caller("INVITE", 2, sdp(port=4200)),
        c.reply(200, "2 INVITE", BOB),
        c.caller("ACK", 2),
    ] + bye
    yield "reinvite_refused", start + [
        c.callee("INVITE", 9, sdp("198.51.100.20", 30200)),
        c.reply_to_callee(488, "9 INVITE"),
        c.callee("ACK", 9),
    ]
    yield "hold", start + [c.caller("INVITE", 2, sdp("0.0.0.0")), c.reply(200, "2 INVITE", BOB)]
    yield "idle", start + ["T\x03", "P", "T\x07"] + bye
    yield "restart", start + ["Z"] + bye
    yield "restart_ringing", [invite, "A", c.reply(180, "1 INVITE"), "Z", answer, ack] + bye
    yield "options", [c.caller("OPTIONS", 1, tag=""), c.reply(200, "1 OPTIONS")]
    second = Call("c2")
    yield "two_calls", start + [
        second.caller("INVITE", 1, ALICE, tag=""),
        "T\x03",
        "A",
        second.reply(200, "1 INVITE", BOB),
    ] + bye


def main():
    folder = pathlib.Path(sys.argv[1])
    for name in ("call_monitor", "session_description"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, steps in scripts():
        (folder / "call_monitor" / name).write_bytes(SEPARATOR.join(steps).encode("latin-1"))
    bodies = {
        "plain": sdp(),
        "attributes": sdp(extra="a=rtcp:5000 IN IP4 192.0.2.1\r\na=rtcp-mux\r\na=sendonly\r\n"),
        "streams": sdp(
            extra="m=video 0 RTP/AVP 31\r\nc=IN IP6 2001:db8::1\r\nm=image 6000 udptl t38\r\n"
        ),
        "pairs": sdp().replace("4000", "4000/2"),
        "multipart": f"--b\r\nContent-Type: application/sdp\r\n\r\n{sdp()}\r\n--b--\r\n",
        "full": "v=0\r\no=- 1 1 IN IP4 a\r\ns=x\r\ni=x\r\nu=x\r\ne=x\r\np=x\r\nc=IN IP4 224.1.1.1/127/3\r\n"
        "b=AS:64\r\nt=0 0\r\nr=1 2 3\r\nz=1 2\r\nk=clear:x\r\na=inactive\r\nm=audio 9 RTP/AVP 0\r\n",
    }
    for name, body in bodies.items():
        (folder / "session_description" / name).write_bytes(body.encode())
    if len(sys.argv) > 2:
        for path in pathlib.Path(sys.argv[2]).glob("rfc*/*"):
            if path.suffix in (".dat", ".sip"):
                (folder / "call_monitor" / path.stem).write_bytes(b"O" + path.read_bytes())


if __name__ == "__main__":
    main()
