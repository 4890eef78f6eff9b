"""The journal's own numbers: 64-bit, most of them above 2^53, and the same in every rehearsal.

Neighbours differ by one, so a client that lets them pass through a float merges two pupils into one and is found out.
"""

from __future__ import annotations

SCHOOL = 1000001234567
EDU_GROUP = 2244668800112233445
ALGEBRA = 1250000034567001
INFORMATICS = 1250000034567002

_FIRST = {
    "person": 1000012345678900001,
    "user": 1000098765432100001,
    "period": 2250000011223344001,
    "lesson": 2251000055667788001,
    "work": 2252000066778899001,
    "work_type": 1260000022334401,
    "mark": 2253000077889900001,
    "section": 2254000088990011001,
    "criteria_mark": 2255000099001122001,
    "final_mark": 2256000011112222001,
}


def number(kind: str, index: int) -> int:
    """Return the id of the ``index``-th record of a kind, counted from 0."""
    return _FIRST[kind] + index
