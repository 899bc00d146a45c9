"""Every call to the system may fail, the process may die at each, the power may go at any moment: nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.integration.storage.faults import points, shim

pytestmark = pytest.mark.skipif(bool(shim.why_not()), reason=shim.why_not() or "can be done")


def run(repository, module: str, *arguments: str) -> tuple[int, dict]:
    command = [sys.executable, "-m", f"tests.integration.storage.faults.{module}", "--workers", "2", *arguments]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout) | {"said": done.stderr}


def test_whatever_call_fails_in_whatever_way_all_invariants_hold(repository):
    code, tally = run(repository, "points", "--points", str(17 * 16))
    assert (tally["operations"], tally["broken"]) == (17, 0), tally["said"]
    assert tally["calls"] > 2000
    assert tally["points"] >= 200
    assert min(tally["killed"], tally["refused"], tally["survived"]) >= 25
    assert code == 0


@pytest.mark.parametrize("calls", [9, 57, 556])
def test_a_choice_of_points_meets_every_fault_as_often_and_all_of_an_operation(calls):
    chosen = points.spread_points("save", calls, 16)
    assert sorted(fault for _, fault in chosen) == sorted([*points.FAULTS] * 2)
    assert [(call - 1) * 16 // calls for call, _ in chosen] == pytest.approx(range(16), abs=2)
    assert chosen == points.spread_points("save", calls, 16)
    assert points.spread_points("save", 2, 16) == points.points_of(2)


@pytest.mark.parametrize(
    ("kind", "where", "invariant"),
    [
        ("short-writes-believed", "--only password --faults SHORT", "I1"),
        ("errors-not-translated", "--only save --faults EIO --points 16", "I7"),
        ("rows-first", "--only save --faults CRASH --points 48", "I3"),
    ],
)
def test_a_guard_taken_away_is_missed(repository, kind, where, invariant):
    code, tally = run(repository, "points", *where.split(), "--first", "--sabotage", kind)
    assert any(text.startswith(invariant) for text in tally["examples"]), tally
    assert code == 1


def test_whatever_of_the_unflushed_a_power_cut_takes_nothing_acknowledged_is_lost(repository):
    code, tally = run(repository, "crash_states", "--states", "600")
    assert (tally["states"], tally["broken"]) == (600, 0), tally["said"]
    assert tally["steps"] > 500
    assert tally["moments"] > 300
    assert code == 0


def test_without_flushes_most_power_cuts_do_harm(repository):
    code, tally = run(repository, "crash_states", "--states", "16", "--without-flushes")
    assert tally["lost"] > tally["states"] // 2
    assert tally["broken"] > tally["states"] * 0.8
    assert code == 1
