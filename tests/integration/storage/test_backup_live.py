"""Backups of a site in use hold all that was acknowledged before; killed ones cost nothing; a full disk is survived."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys

import pytest

from ert.errors import DiskFull
from tests.integration.storage import samples

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs fork and SIGKILL")

FULL_DISK = """
import json, resource, sys
from pathlib import Path
from ert.errors import DiskFull, StorageFailed
from tests.integration.storage import samples
site = samples.open_site(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    site.start_backup(Path(sys.argv[2])).finish()
    outcome = "finished"
except DiskFull:
    outcome = "disk full"
except StorageFailed:
    outcome = "storage failed"  # SQLite tells a limit of the file size apart from a full disk
print(json.dumps(outcome))
"""


def harness(repository, *arguments: str) -> tuple[int, dict]:
    command = [sys.executable, "-m", "tests.integration.storage.backup_harness", *arguments]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_every_backup_of_a_site_being_saved_to_restores_clean_and_up_to_date(repository):
    code, tally = harness(repository, "--live", "6", "--editors", "4", "--saves", "20")
    assert (tally["backups"], tally["damaged"], tally["behind"], tally["incomplete_revisions"]) == (6, 0, 0, 0)
    assert tally["acknowledged"] >= 120
    assert tally["saved_during"] >= 6
    assert code == 0


def test_killed_backups_leave_earlier_ones_whole_and_themselves_recognisable(repository):
    code, tally = harness(repository, "--kills", "20", "--seed", "3")
    assert (tally["kills"], tally["lost_backups"], tally["damaged"]) == (20, 0, 0)
    assert tally["unfinished"] >= 5
    assert tally["backups"] >= 4
    assert code == 0


def test_a_backup_that_is_named_before_its_files_are_there_is_found(repository):
    code, tally = harness(repository, "--kills", "6", "--seed", "3", "--sabotage")
    assert tally["damaged"] > 0
    assert code == 1


def test_killed_restores_leave_no_folder_that_looks_whole_and_is_not(repository):
    code, tally = harness(repository, "--restore-kills", "8", "--seed", "3")
    assert (tally["kills"], tally["damaged"]) == (8, 0)
    assert tally["unfinished"] >= 3
    assert code == 0


def test_a_disk_that_takes_no_more_is_told_and_costs_no_earlier_backup(repository, tmp_path):
    root = samples.copied_site(tmp_path / "site")
    site = samples.open_site(root)
    course = samples.import_one(site)
    site.plans.save(samples.plan_of(course), base_revision=0, doses=[samples.dose()])
    folder = tmp_path / "backups"
    first = site.start_backup(folder).finish()
    site.machines.add(name="LINAC 1", digest="ef" * 32, content=random.Random(1).randbytes(900_000))
    site.close()
    outcomes = {}
    for limit in (2_000, 700_000, 10_000_000):  # within the database, within the machine's file, enough
        arguments = [sys.executable, "-c", FULL_DISK, str(root), str(folder), str(limit)]
        done = subprocess.run(arguments, cwd=repository, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        outcomes[limit] = json.loads(done.stdout)
    assert outcomes == {2_000: "storage failed", 700_000: "disk full", 10_000_000: "finished"}
    site = samples.open_site(root)
    shelf = site.backups(folder)
    assert [b.is_good for b in shelf.backups()] == [True, True]
    assert shelf.verify(first.backup_id) == ()
    site.close()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 600 kB; only where this account may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=600k", "none", str(place)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this account may not mount")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_really_is_full(small_disk, tmp_path):
    root = samples.copied_site(tmp_path / "site")
    site = samples.open_site(root)
    folder = small_disk / "backups"
    first = site.start_backup(folder).finish()
    with pytest.raises(DiskFull):
        site.start_backup(folder).finish()
    shelf = site.backups(folder)
    assert [b.backup_id for b in shelf.backups()] == [first.backup_id]
    assert shelf.verify(first.backup_id) == ()
    assert site.check() == ()
    site.close()
