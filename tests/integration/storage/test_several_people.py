"""Several processes edit one plan at once: every edit is there in the end; and the count sees a lost one."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.integration.storage.postgres import binaries


def several(repository, *arguments):
    command = [sys.executable, "benchmarks/several_people.py", *arguments]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(("edits", "where"), [(100, ()), (40, ("--server",))], ids=["folder", "server"])
def test_no_edit_is_lost_doubled_or_overwritten(repository, edits, where):
    if where and binaries() is None:
        pytest.skip("needs the server programs of PostgreSQL (Debian: postgresql)")
    code, found = several(repository, "--people", "8", "--edits", str(edits), *where)
    assert (found["acknowledged"], found["revisions"]) == (8 * edits, 8 * edits + 1)
    assert (found["lost"], found["doubled"], found["gaps"], found["damaged"]) == (0, 0, 0, 0)
    assert found["conflicts"] > 8 * edits
    assert code == 0


def test_the_last_one_winning_is_found(repository):
    code, found = several(repository, "--people", "3", "--edits", "4", "--sabotage")
    assert found["lost"] > 0
    assert code == 1
