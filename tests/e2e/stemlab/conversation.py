# SPDX-License-Identifier: Apache-2.0
"""A call between two terminals we drive, through the proxy, with RTP both ways from the first
moment the protocol allows it."""


class Conversation:
    """Construction calls and answers; both ends stream as early as they may: the callee before its
    200 has even left the proxy, the caller on reading it (RFC 3264, 5.1 and 6.1)."""

    def __init__(self, caller, callee, caller_rtp, callee_rtp, user="alice"):
        self.caller = caller
        self.callee = callee
        self.caller_rtp = caller_rtp
        self.callee_rtp = callee_rtp
        self.out = caller.invite(user, caller_rtp)
        self.incoming = callee.wait_for_invite()
        self.incoming.ring()
        self.out.wait_ringing()
        self.incoming.answer(callee_rtp)
        callee_rtp.start(self.incoming.remote_media)
        self.out.wait_answer()
        caller_rtp.start(self.out.remote_media)
        self.out.ack()
        self.incoming.wait_ack()

    @property
    def call_id(self):
        return self.out.call_id

    def wait_for_media(self, more=25):
        """Waits until `more` further packets have come through in each direction."""
        at_callee = len(self.callee_rtp.from_endpoint(self.caller_rtp)) + more
        at_caller = len(self.caller_rtp.from_endpoint(self.callee_rtp)) + more
        self.callee_rtp.wait_for_packets(self.caller_rtp, at_callee)
        self.caller_rtp.wait_for_packets(self.callee_rtp, at_caller)

    def pause(self):
        """Stops both streams and asserts that every packet sent has arrived, once, in order."""
        self.caller_rtp.pause()
        self.callee_rtp.pause()
        self.callee_rtp.wait_for_all(self.caller_rtp)
        self.caller_rtp.wait_for_all(self.callee_rtp)

    def hang_up(self):
        """The caller hangs up; the streams are left as they are."""
        self.out.request("BYE")
        self.incoming.wait_for_hang_up()
        return self.out.wait_for_status(200, "BYE")
