#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up test results and ends with the line "N passed, N failed, N skipped".

usage: tally.py DIRECTORY

Reads DIRECTORY/*.ctest.xml (ctest --output-junit: one case for each test binary), next to each
DIRECTORY/NAME.gtest/*.xml (GoogleTest's own reports of those binaries, one case for each test),
and DIRECTORY/*.pytest.xml, DIRECTORY/*.junit.xml (tests/kernels) and DIRECTORY/*.check (one line
"passed" or "failed"). A binary that failed without a failed test in its own report (a crash, a leak
found at exit) counts as one failure. Exits 1 when anything failed or nothing ran.
"""

import collections
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def outcome(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    if case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
        return "skipped"
    if case.get("status") == "fail":
        return "failed"
    return "passed"


def cases(path):
    return ElementTree.parse(path).iter("testcase")


def why_skipped(case):
    skipped = case.find("skipped")
    text = "" if skipped is None else (skipped.get("message") or skipped.text or "")
    return text.strip().splitlines()[-1] if text.strip() else "no reason given"


def gtest_reports(directory):
    """Test binary's name -> its cases. A report is named after its binary."""
    return {path.stem: list(cases(path)) for path in sorted(directory.glob("*.xml"))}


def read(directory):
    """Yields (kind, name, outcome, case or None) for everything that ran."""
    for report in sorted(directory.glob("*.ctest.xml")):
        kind = report.name.removesuffix(".ctest.xml")
        details = gtest_reports(directory / f"{kind}.gtest")
        for binary in cases(report):
            name, inner = binary.get("name"), details.get(binary.get("name"), [])
            for case in inner:
                yield kind, f"{name}: {case.get('classname')}.{case.get('name')}", outcome(
                    case
                ), case
            # The binary as a whole: only when its own report does not tell the story.
            whole = outcome(binary)
            if not inner or (whole == "failed" and "failed" not in map(outcome, inner)):
                yield kind, name, whole, binary
    for report in sorted([*directory.glob("*.pytest.xml"), *directory.glob("*.junit.xml")]):
        kind = report.name.split(".")[0]
        for case in cases(report):
            yield kind, f"{case.get('classname')}.{case.get('name')}", outcome(case), case
    for check in sorted(directory.glob("*.check")):
        yield "style", check.stem, check.read_text().strip(), None


def main():
    total = collections.Counter()
    by_kind = collections.defaultdict(collections.Counter)
    remarks = []
    for kind, name, result, case in read(pathlib.Path(sys.argv[1])):
        total[result] += 1
        by_kind[kind][result] += 1
        if result == "failed":
            remarks.append(f"failed   {kind:8} {name}")
        elif result == "skipped":
            remarks.append(f"skipped  {kind:8} {name}: {why_skipped(case)}")
    for kind, counts in by_kind.items():
        print(
            f"{kind:10} {counts['passed']:5} passed {counts['failed']:4} failed"
            f" {counts['skipped']:4} skipped"
        )
    print("\n".join(remarks))
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
