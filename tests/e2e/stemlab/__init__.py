# SPDX-License-Identifier: Apache-2.0
"""The lab in Python: namespaces, peers, packets and the firewall, for tests, demo and bench."""
