# SPDX-License-Identifier: Apache-2.0
"""Packets in the background, some 20,000 a second, until the block ends. How many more the data plane
can stand is a question for tests/bench: here the sender must leave the calls some CPU."""

import itertools
import threading
import time

from . import packets

AT_ONCE, PAUSE = 20, 0.001


class Flood:
    """Sends `layers` (IP packets) from one side in turn: with Flood(lab, "outside", layers): ..."""

    def __init__(self, lab, side, layers):
        self.sent = 0
        self._wire = packets.Wire(lab, side)
        self._frames = self._wire.frames(layers)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join()
        self._wire.close()

    def _run(self):
        for frame in itertools.cycle(self._frames):
            if self._ending.is_set():
                return
            try:
                self._wire.send_raw(frame)
            except OSError:  # no room in the queue: the next one
                continue
            self.sent += 1
            if self.sent % AT_ONCE == 0:
                time.sleep(PAUSE)
