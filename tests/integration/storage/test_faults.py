"""Every call to the system may fail, and the process may die at each: nothing kept is lost, nothing half is left."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.integration.storage.faults import shim

pytestmark = pytest.mark.skipif(bool(shim.why_not()), reason=shim.why_not() or "can be done")


def points(repository, *arguments: str) -> tuple[int, dict]:
    command = [sys.executable, "-m", "tests.integration.storage.faults.points", "--workers", "2", *arguments]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout) | {"said": done.stderr}


def test_whatever_call_fails_in_whatever_way_all_invariants_hold(repository):
    code, tally = points(repository, "--points", "180")
    assert (tally["operations"], tally["broken"]) == (15, 0), tally["said"]
    assert tally["calls"] > 2000
    assert tally["points"] >= 130
    assert min(tally["killed"], tally["refused"], tally["survived"]) >= 15
    assert code == 0


@pytest.mark.parametrize(
    ("kind", "where", "invariant"),
    [
        ("short-writes-believed", "--only password --faults SHORT --points 40", "I1"),
        ("errors-not-translated", "--only save --faults EIO --points 16", "I7"),
        ("rows-first", "--only save --faults CRASH --points 60", "I3"),
    ],
)
def test_a_guard_taken_away_is_missed(repository, kind, where, invariant):
    code, tally = points(repository, *where.split(), "--sabotage", kind)
    assert any(text.startswith(invariant) for text in tally["examples"]), tally
    assert code == 1
