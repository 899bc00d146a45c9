"""A real small disk: full, read-only, taken away. Nothing acknowledged is lost, and the sentence says what is wrong."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess

import attrs
import pytest

from ert.app.plan_history import PlanHistory
from ert.app.tissue_library import directly
from ert.domain.record import Severity
from ert.errors import DiskFull, Refused, StorageFailed
from ert.storage.blobs import BlobStore
from tests.integration.storage import samples

CYCLES = 40


def mount(*arguments: str) -> bool:
    with contextlib.suppress(OSError):
        return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0
    return False


@pytest.fixture
def disk(tmp_path):
    """An empty file system of 6 MB in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)):
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def root(disk):
    return samples.copied_site(disk / "site")


def unsound(site):
    return [f for f in site.check() if f.severity is not Severity.NOTE]


def test_a_full_disk_costs_no_revision_and_leaves_nothing_behind(root, disk, tmp_path):
    site = samples.open_site(root, drafts=tmp_path / "drafts")
    base = samples.plan_of(samples.import_one(site))
    site.plans.save(base, base_revision=0)
    journal, revision, full = site.drafts.begin(), 1, 0
    filler = disk / "filler"
    for cycle in range(CYCLES):
        free = os.statvfs(disk)
        filler.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - 4096 * (1 + cycle % 8))))
        plan = samples.renamed(base, f"cycle {cycle}")
        before = sorted(p for p in root.rglob("*") if p.is_file() and p.suffix != ".db")
        refusal = None
        try:
            site.plans.save(plan, base_revision=revision, doses=[samples.dose(f"{cycle:064x}", seed=cycle)])
            revision += 1
        except DiskFull as error:
            refusal = str(error)
        if refusal is not None:
            full += 1
            assert "disk of this site is full" in refusal
            after = sorted(p for p in root.rglob("*") if p.is_file() and p.suffix != ".db")
            assert after == before
            assert site.plans.load(base.id).revision == revision
            assert journal.keep(plan, base_revision=revision, labels=["Name"]) is not None  # on the workstation
        filler.unlink()
        revision = site.plans.save(plan, base_revision=revision).revision
        journal.clear()
    assert full >= CYCLES * 2 // 3
    assert [r.revision for r in site.activity.revisions(base.id)] == list(range(revision, 0, -1))
    assert unsound(site) == []
    journal.close()
    site.close()


def test_a_save_that_left_its_files_on_the_full_disk_would_be_seen(root, disk, monkeypatch):
    """The negative control of the cycles above."""
    site = samples.open_site(root)
    base = samples.plan_of(samples.import_one(site))
    site.plans.save(base, base_revision=0)
    monkeypatch.setattr(BlobStore, "discard", lambda *_: None)
    before = sorted(root.rglob("*.erte"))
    for keep in range(8, 200, 8):
        free = os.statvfs(disk)
        (disk / "filler").write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - 4096 * keep)))
        with contextlib.suppress(DiskFull):
            site.plans.save(base, base_revision=1, doses=[samples.dose(f"{keep:064x}", seed=keep)])
            break
        (disk / "filler").unlink()
    assert sorted(root.rglob("*.erte")) != before
    site.close()


def test_a_disk_that_does_not_flush_is_told_and_nothing_is_saved(tmp_path, monkeypatch):
    """A failed fsync: the file is tried once more under another name, then nothing was saved, in a sentence."""
    site = samples.open_site(samples.copied_site(tmp_path / "site"))
    base = samples.plan_of(samples.import_one(site))
    site.plans.save(base, base_revision=0)
    tries = []

    def fails(_handle):
        tries.append(1)
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(StorageFailed, match="Check the disk or the network share"):
            site.plans.save(samples.renamed(base, "x"), base_revision=1, doses=[samples.dose()])
    assert len(tries) == 2
    assert site.plans.load(base.id).revision == 1
    assert site.plans.save(samples.renamed(base, "y"), base_revision=1, doses=[samples.dose()]).revision == 2
    assert unsound(site) == []
    site.close()


def test_a_read_only_site_opens_for_looking_and_says_why(root, disk, tmp_path):
    site = samples.open_site(root)
    base = samples.plan_of(samples.import_one(site))
    site.plans.save(base, base_revision=0)
    site.close()
    assert mount("-o", "remount,ro", str(disk))
    site = samples.open_site(root, anchors=tmp_path / "profile")  # attempts are counted on the workstation
    assert "READ-ONLY" in site.read_only_reason
    assert site.plans.load(base.id).plan == base
    assert PlanHistory(site, directly).revisions(base.id)[0].revision == 1
    with pytest.raises(Refused, match="READ-ONLY"):
        site.plans.save(attrs.evolve(base, description="x"), base_revision=1)
    site.record_event("opened", record=base.id)
    site.people.enter(base.id)
    assert site.people.others(base.id) == ()
    site.close()
    assert mount("-o", "remount,rw", str(disk))
    site = samples.open_site(root)
    assert site.read_only_reason == ""
    assert site.plans.save(attrs.evolve(base, description="x"), base_revision=1).revision == 2
    site.close()


def test_a_site_that_was_taken_away_fails_with_a_sentence_and_works_again_when_it_is_back(tmp_path):
    root = samples.copied_site(tmp_path / "site")
    site = samples.open_site(root, drafts=tmp_path / "drafts")
    base = samples.plan_of(samples.import_one(site))
    site.plans.save(base, base_revision=0)
    plan = samples.renamed(base, "edited meanwhile")
    journal = site.drafts.begin()
    root.rename(tmp_path / "away")
    for _ in range(2):
        with pytest.raises(StorageFailed, match="Check the disk or the network share"):
            site.plans.save(plan, base_revision=1)
        assert journal.keep(plan, base_revision=1, labels=["Name"]) is not None
    (tmp_path / "away").rename(root)
    assert site.plans.save(plan, base_revision=1).revision == 2
    assert unsound(site) == []
    journal.close()
    site.close()
