# SPDX-License-Identifier: Apache-2.0
"""The whole way of one call, for the kernels that tests/kernels boots in emulated machines, too."""

import pytest


@pytest.mark.any_kernel
@pytest.mark.parametrize("family", [4, 6])
def test_one_call_from_invite_to_bye(firewall, converse, family):
    """Signalling through AF_XDP and the TUN device, media both ways relayed by XDP through its
    pinholes and by nothing else, all of it; after the BYE the pinholes are gone and media dies."""
    before = firewall.counters()
    talk = converse(family=family)
    assert len(firewall.pinholes()) == 4  # RTP and RTCP both ways
    talk.wait_for_media(50)
    talk.pause()
    counted = firewall.counted(before)
    for side, sender in (("outside", talk.caller_rtp), ("inside", talk.callee_rtp)):
        relayed, routed = counted[side, "media_relayed"], counted.get((side, "media_to_stack"), 0)
        assert relayed + routed == len(sender.sent)
        assert relayed >= len(sender.sent) - 2  # until the neighbour is known
    talk.hang_up()
    firewall.wait_until_no_pinholes()
    before = firewall.counters()
    talk.caller_rtp.send(talk.out.remote_media, 10)
    firewall.wait_until_counted(before, ("outside", "no_pinhole"), 10)
