"""Nothing acknowledged is lost, nothing is damaged, when the saving process is killed; and the rig can tell."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs fork and SIGKILL")


def kill(repository, *arguments: str) -> tuple[int, dict]:
    command = [sys.executable, "-m", "tests.integration.storage.kill_harness", *arguments]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_killed_saves_lose_and_damage_nothing(repository):
    code, tally = kill(repository, "--kills", "150", "--seed", "7")
    assert (tally["kills"], tally["lost"], tally["corrupt"]) == (150, 0, 0)
    assert tally["acknowledged"] >= 220
    assert min(tally["with_orphans"], tally["with_hot_journal"]) >= 10
    assert tally["revisions"] >= tally["acknowledged"]
    assert code == 0


@pytest.mark.parametrize(("sabotage", "damage"), [("acknowledge-first", "lost"), ("rows-first", "corrupt")])
def test_a_broken_save_order_is_found(repository, sabotage, damage):
    code, tally = kill(repository, "--kills", "10", "--seed", "7", "--sabotage", sabotage)
    assert tally[damage] > 0
    assert code == 1
