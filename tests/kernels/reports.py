# SPDX-License-Identifier: Apache-2.0
"""The reports of all guests in one JUnit report, each case under the release of its kernel."""

import xml.etree.ElementTree as ElementTree

# What a guest runs, by the names of its reports.
PROGRAMS = ("bpf_test", "e2e")


class Reports:
    """Collects cases; what is missing becomes a failed case."""

    def __init__(self):
        self._suite = ElementTree.Element("testsuite", name="kernels")

    def add_guest(self, release, directory):
        """All that a guest left in directory."""
        for program in PROGRAMS:
            cases = _cases(directory / f"{program}.xml")
            for case in cases:
                case.set("classname", f"{release}: {case.get('classname')}")
                self._suite.append(case)
            status = _status(directory / f"{program}.status")
            failed = any(
                c.find("failure") is not None or c.find("error") is not None for c in cases
            )
            if not cases:
                self.add_failure(release, program, f"no report; exit status {status}")
            elif all(case.find("skipped") is not None for case in cases):
                self.add_failure(release, program, "every test skipped")
            elif status != "0" and not failed:
                self.add_failure(release, program, f"ended with {status}, yet no test failed")

    def add_failure(self, release, name, why):
        case = ElementTree.SubElement(self._suite, "testcase", classname=release, name=name)
        ElementTree.SubElement(case, "failure", message=why).text = why

    def failures(self):
        """Each failed case with what it says."""
        for case in self._suite:
            why = _why_failed(case)
            if why is not None:
                yield f"{case.get('classname')}.{case.get('name')}:\n{why}"

    def write(self, path):
        ElementTree.ElementTree(self._suite).write(path, encoding="utf-8", xml_declaration=True)


def _cases(path):
    try:
        return list(ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return []


def _why_failed(case):
    """Text of a failed case; None for one that passed or was skipped."""
    said = [*case.iter("failure"), *case.iter("error")]
    return "\n".join(each.text or each.get("message") or "" for each in said) if said else None


def _status(path):
    return path.read_text().strip() if path.exists() else "unknown"
