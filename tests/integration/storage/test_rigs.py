"""The heavier rigs work and can tell: kills of anything, editors on a share that lags or does not lock, bit rot."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.integration.storage.faults import shim

needs_interposer = pytest.mark.skipif(bool(shim.why_not()), reason=shim.why_not() or "can be done")


def run(repository, module: str, arguments: str) -> tuple[int, dict]:
    command = [sys.executable, "-m", f"tests.integration.storage.faults.{module}", *arguments.split()]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout) | {"said": done.stderr}


def test_whatever_is_killed_leaves_a_sound_site(repository):
    code, tally = run(repository, "kill_anything", "--kills 51")
    assert (tally["kills"], tally["broken"], len(tally["of"])) == (51, 0, 17), tally["said"]
    assert tally["in_time"] >= 15
    assert code == 0


@needs_interposer
def test_killed_editors_on_a_share_that_lags_lose_and_double_nothing(repository):
    code, tally = run(repository, "many_editors", "--people 4 --edits 25 --latency-ms 1 --kills 6")
    assert (tally["kills"], tally["acknowledged"], tally["revisions"]) == (6, 100, 101), tally["said"]
    assert (tally["lost"], tally["doubled"], tally["gaps"], tally["damaged"], tally["failed"]) == (0, 0, 0, 0, 0)
    assert code == 0


@needs_interposer
def test_a_share_that_lets_everybody_write_does_harm_that_is_seen(repository):
    code, tally = run(repository, "many_editors", "--people 4 --edits 8 --no-locks")
    assert tally["lost"] + tally["damaged"] + tally["failed"] > 0
    assert code == 1


def test_no_flipped_bit_and_no_swap_is_missed_or_used(repository):
    code, tally = run(repository, "rot", "--files 12 --flips 20 --swaps 36 --workers 2")
    assert (tally["missed"], tally["silently_used"]) == (0, 0), tally["said"]
    assert tally["changes"] >= 60
    assert tally["harmless"] < 12
    assert code == 0


def test_without_codes_and_tags_of_our_own_swaps_go_unnoticed(repository):
    code, tally = run(repository, "rot", "--files 12 --swaps 24 --workers 2 --blind")
    assert tally["missed"] > 3
    assert code == 1
