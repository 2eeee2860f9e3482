#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the firewall: how fast its data plane is, and what it adds to calls.

usage: run.py [--quick] [GROUP...]

GROUP: media, floods, pipeline, rules, policing, goodput, verifier (all by stem-bench), calls; all
of them without a name. --quick takes each figure from few short runs: to see that the bench works,
not how fast the firewall is.

Prints a table and writes build/bench/results.json, one object for each measure.
"""

import json
import pathlib
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
sys.dont_write_bytecode = True

import call_measures  # noqa: E402
import table  # noqa: E402
from stemlab.site import binaries_missing  # noqa: E402

DIRECTORY = ROOT / "build/bench"
STEM_BENCH = ROOT / "build/release/bin/stem-bench"


def say(text):
    print(f"        {text}", flush=True)


def data_plane(arguments):
    """The measures of stem-bench, which tells on standard error what it is doing."""
    done = subprocess.run([STEM_BENCH, *arguments], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


def report(results, before=()):
    """Shows results, and writes them down after those before: a later part may fail."""
    for line in table.lines(results, colour=table.wants_colour(sys.stdout)):
        say(line)
    file = DIRECTORY / "results.json"
    file.write_text(json.dumps([*before, *results], indent=2) + "\n")
    say(f"written to {file.relative_to(ROOT)}")


def main():
    quick = [a for a in sys.argv[1:] if a == "--quick"]
    groups = [a for a in sys.argv[1:] if a != "--quick"]
    calls = not groups or "calls" in groups
    missing = binaries_missing() if calls else []
    missing += [] if STEM_BENCH.exists() else ["stem-bench"]
    if missing:
        print(f"bench: not built: {', '.join(missing)}; ./run build", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    results = []
    if groups != ["calls"]:
        results += data_plane(quick + [g for g in groups if g != "calls"])
        report(results)
    if calls:
        delays = call_measures.measure_calls(DIRECTORY / "lab", say)
        report(delays, before=results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
