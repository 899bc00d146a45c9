"""Unsaved edits on a workstation: whole, encrypted, for their user only, offered only once their program has ended."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest

from ert.domain.plan_difference import plan_difference
from ert.errors import DiskFull, StorageFailed
from ert.storage import atomic
from ert.storage.drafts import Drafts
from tests.integration.storage import samples


@pytest.fixture
def site(tmp_path):
    opened = samples.open_site(samples.copied_site(tmp_path / "site"), drafts=tmp_path / "drafts")
    yield opened
    opened.close()


@pytest.fixture
def plan(site):
    return samples.plan_of(samples.import_one(site))


def abandoned(site, plan):
    """A draft whose program ended: its lock is given up, nothing is removed."""
    journal = site.drafts.begin()
    journal.keep(plan, base_revision=3, labels=["Gantry of LAO", "Weight of LAO"])
    journal._file._lock.release()
    return journal


def test_a_live_draft_is_not_offered_and_an_abandoned_one_comes_back_exactly(site, plan):
    journal = abandoned(site, plan)
    (draft,) = site.drafts.left_over().drafts
    assert (draft.plan, draft.base_revision) == (plan, 3)
    assert draft.labels == ("Gantry of LAO", "Weight of LAO")
    other = site.drafts.begin()
    other.keep(samples.renamed(plan, "live"), base_revision=1, labels=["Name"])
    assert [d.plan.name for d in site.drafts.left_over().drafts] == [plan.name]
    site.drafts.discard(draft.draft_id)
    assert site.drafts.left_over().drafts == ()
    other.close()
    journal.close()


def test_nothing_is_left_when_everything_is_saved_or_given_up(site, plan, tmp_path):
    journal = site.drafts.begin()
    assert not (tmp_path / "drafts").exists()
    journal.keep(plan, base_revision=1, labels=["Edit"])
    journal.clear()
    assert not list((tmp_path / "drafts").rglob("*.ertd"))
    journal.keep(plan, base_revision=1, labels=["Edit"])
    journal.close()
    assert not [p for p in (tmp_path / "drafts").rglob("*") if p.is_file()]


def test_drafts_that_end_while_the_folder_is_read_are_no_failure(site, plan):
    site.drafts.begin().keep(plan, base_revision=1, labels=["Edit"])

    def edit_and_save():
        for _ in range(60):
            journal = site.drafts.begin()
            journal.keep(plan, base_revision=1, labels=["Edit"])
            journal.close()

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(edit_and_save) for _ in range(2)]
        found = [site.drafts.left_over()]
        while not all(writer.done() for writer in writers):
            found.append(site.drafts.left_over())
    assert [writer.result() for writer in writers] == [None, None]
    assert {f.unreadable for f in found} == {()}


def test_names_in_a_draft_cannot_be_read_from_the_disk(site, plan, tmp_path):
    journal = abandoned(site, samples.renamed(plan, samples.CANARY))
    files = [p for p in (tmp_path / "drafts").rglob("*") if p.is_file()]
    assert any(p.stat().st_size > 500 for p in files)
    for path in files:
        assert samples.CANARY.encode() not in path.read_bytes()
        assert samples.CANARY not in str(path)
    journal.close()


def test_a_changed_swapped_or_foreign_draft_is_not_used_and_stays(site, plan, tmp_path):
    journals = [abandoned(site, plan), abandoned(site, samples.renamed(plan, "second"))]
    first, second = sorted((tmp_path / "drafts").rglob("*.ertd"))
    whole = [first.read_bytes(), second.read_bytes()]
    first.write_bytes(whole[1])
    damaged = bytearray(whole[1])
    damaged[-20] ^= 1
    second.write_bytes(damaged)
    found = site.drafts.left_over()
    assert found.drafts == ()
    assert sorted(found.unreadable) == sorted(p.name for p in (first, second))
    assert found.folder == str(first.parent)
    assert first.exists()
    assert second.exists()
    for journal in journals:
        journal.close()


def test_drafts_are_offered_to_their_own_user_only(site, plan, tmp_path):
    journal = abandoned(site, plan)
    folder = tmp_path / "drafts" / site.site_id
    colleague = Drafts(folder, site.records.guard._vault, actor="someone-else", clock=site._clock)
    assert colleague.left_over().drafts == ()
    assert len(site.drafts.left_over().drafts) == 1
    journal.close()


FAILURES = {
    errno.ENOSPC: (DiskFull, "disk of this workstation is full"),
    errno.EIO: (StorageFailed, "could not keep"),
}


@pytest.mark.parametrize("number", FAILURES)
def test_a_failing_disk_is_told_and_the_draft_before_stands(site, plan, monkeypatch, number):
    kind, words = FAILURES[number]
    journal = abandoned(site, plan)
    with monkeypatch.context() as patch:

        def fail(_handle):
            raise OSError(number, os.strerror(number))

        patch.setattr(atomic.os, "fsync", fail)
        with pytest.raises(kind, match=words):
            journal.keep(samples.renamed(plan, "later"), base_revision=3, labels=["Name"])
    (draft,) = site.drafts.left_over().drafts
    assert draft.plan == plan
    journal.keep(samples.renamed(plan, "later"), base_revision=3, labels=["Name"])
    (draft,) = site.drafts.left_over().drafts
    assert [c.sentence for c in plan_difference(plan, draft.plan)] == ["Plan: Name Left chest wall → later"]
    journal.close()


def test_a_site_without_a_draft_folder_keeps_none(tmp_path):
    site = samples.open_site(samples.copied_site(tmp_path / "site"))
    plan = samples.plan_of(samples.import_one(site))
    journal = site.drafts.begin()
    assert journal.keep(attrs.evolve(plan, name="x"), base_revision=1, labels=["Name"]) is None
    assert site.drafts.left_over().drafts == ()
    journal.close()
    site.close()
