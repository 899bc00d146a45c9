"""Edits that were told to be kept survive a kill of the program; and the rig can tell."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs fork and SIGKILL")


def kill(repository, *arguments: str) -> tuple[int, dict]:
    command = [sys.executable, "-m", "tests.integration.app.draft_harness", *arguments]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_killed_edits_are_found_again(repository):
    code, tally = kill(repository, "--kills", "8", "--seed", "3")
    assert (tally["kills"], tally["found"], tally["lost"], tally["damaged"]) == (8, 8, 0, 0)
    assert tally["told"] >= 16
    assert code == 0


def test_telling_before_keeping_is_found(repository):
    code, tally = kill(repository, "--kills", "3", "--seed", "3", "--sabotage")
    assert tally["lost"] > 0
    assert code == 1
