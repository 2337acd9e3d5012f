"""The rows of the table in doc/imap.md."""
import os
from collections import namedtuple

Row = namedtuple("Row", "name rfc states conf test deviations")


def rows():
    path = os.path.join(os.path.dirname(__file__), "..", "..", "doc", "imap.md")
    found = []
    for line in open(path):
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if not line.startswith("|") or len(cells) != 5 or cells[0] in ("Capability", "---"):
            continue
        name, rfc, state, test, deviations = cells
        states = state.split()
        found.append(Row(name, rfc, set(states) - {"conf"}, "conf" in states, test, deviations))
    assert found, path
    return found
