"""Presence: seen by other processes at once, gone with its process however that ends, silent where it cannot be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.integration.storage import samples

CHILD = """
import sys, time
from pathlib import Path
from tests.integration.storage import samples
site = samples.open_site(Path(sys.argv[1]))
site.people.enter(sys.argv[2])
print("here", flush=True)
sys.stdin.read()
site.close()
"""


@pytest.fixture
def root(tmp_path):
    return samples.copied_site(tmp_path / "site")


@pytest.fixture
def site(root):
    opened = samples.open_site(root)
    yield opened
    opened.close()


@pytest.fixture
def colleague(root, repository):
    """Another process that has plan "p1" open."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(root), "p1"], cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout.readline() == b"here\n"
    yield child
    child.stdin.close()
    child.wait(timeout=60)
    child.stdout.close()


def test_a_colleague_is_seen_on_the_plan_and_nowhere_else(site, colleague):
    (presence,) = site.people.others("p1")
    assert (presence.user, presence.plan_id) == (samples.LOGIN, "p1")
    assert presence.host
    assert site.people.others("p2") == ()
    site.people.enter("p1")
    assert len(site.people.others("p1")) == 1  # oneself is not shown


def test_presence_ends_with_a_killed_process_and_leaves_no_file(site, root, colleague):
    assert len(site.people.others("p1")) == 1
    os.kill(colleague.pid, signal.SIGKILL)
    colleague.wait(timeout=60)
    assert site.people.others("p1") == ()
    assert list((root / "sessions").iterdir()) == []


def test_leaving_and_closing_end_it(site, root):
    other = samples.open_site(root)
    other.people.enter("p1")
    other.people.enter("p2")
    assert len(site.people.others("p1")) == 1
    other.people.leave("p1")
    assert site.people.others("p1") == ()
    assert len(site.people.others("p2")) == 1
    other.close()
    assert site.people.others("p2") == ()


def test_names_cannot_be_read_from_the_folder_and_a_forged_file_is_not_believed(site, root):
    other = samples.open_site(root)
    other.people.enter("p1")
    (file,) = (root / "sessions").glob("*.here")
    content = file.read_bytes()
    assert samples.LOGIN.encode() not in content
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert site.people.others("p1") == ()
    other.close()


def test_work_goes_on_where_presence_cannot_be_written(site, root):
    (root / "sessions").write_text("in the way")
    site.people.enter("p1")
    assert site.people.others("p1") == ()
    site.people.leave("p1")
    assert [f for f in site.check(level=2) if f.severity.value != "note"] == []
