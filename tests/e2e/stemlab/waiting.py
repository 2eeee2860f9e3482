# SPDX-License-Identifier: Apache-2.0
"""Waiting for conditions, never for a fixed time."""

import time


class TimedOut(AssertionError):
    """The condition did not come true in time."""


def eventually(condition, what, timeout=5.0, poll=0.01):
    """Polls condition() until it is true and returns its value; TimedOut names what was awaited.

    what: a text, or a function that makes one (so that it can tell the last state seen).
    """
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimedOut(f"not within {timeout:g} s: {what() if callable(what) else what}")
        time.sleep(poll)


def holds(condition, what, duration):
    """Asserts that condition() stays true for `duration` seconds."""
    deadline = time.monotonic() + duration
    while time.monotonic() < deadline:
        if not condition():
            raise AssertionError(f"no longer true: {what() if callable(what) else what}")
        time.sleep(0.01)
