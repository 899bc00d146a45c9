"""Presence: seen by other processes at once, gone with its process however that ends, silent where it cannot be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from ert.errors import Refused
from tests.integration.storage import samples

CHILD = """
import fcntl, sys
if sys.argv[3:] == ["broken"]:  # a share that grants every lock and keeps none
    fcntl.flock = lambda _handle, _kind: None
from pathlib import Path
from tests.integration.storage import samples
site = samples.open_site(Path(sys.argv[1]))
site.people.enter(sys.argv[2])
print("here", flush=True)
while sys.stdin.readline():
    site.people.beat()
    print("beat", flush=True)
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


@pytest.fixture(params=["honest"])
def colleague(root, repository, request):
    """Another process that has plan "p1" open; it beats for every line it is sent."""
    command = [sys.executable, "-c", CHILD, str(root), "p1", request.param]
    child = subprocess.Popen(command, cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
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
    for _ in range(14):  # a minute of looks
        assert site.people.others("p1") == ()
    assert list((root / "sessions").iterdir()) == []
    assert site.read_only_reason == ""


def beat(colleague):
    colleague.stdin.write(b"\n")
    colleague.stdin.flush()
    assert colleague.stdout.readline() == b"beat\n"


@pytest.mark.folder_only
@pytest.mark.parametrize(("colleague", "is_refused"), [("broken", True), ("honest", False)], indirect=["colleague"])
def test_a_share_that_does_not_lock_is_noticed_and_not_written_any_more(site, colleague, is_refused):
    course = samples.import_one(site)
    plan = samples.plan_of(course)
    site.plans.save(plan, base_revision=0)
    for _ in range(3):
        site.people.others("p1")
        beat(colleague)
    site.people.others("p1")
    assert ("does not lock" in site.read_only_reason) is is_refused
    if is_refused:
        with pytest.raises(Refused, match="does not lock"):
            site.plans.save(samples.renamed(plan, "x"), base_revision=1)
    else:
        site.plans.save(samples.renamed(plan, "x"), base_revision=1)
    assert site.plans.head(plan.id).revision == (1 if is_refused else 2)


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
