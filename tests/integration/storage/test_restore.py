"""Restored copies: only into new folders, read-only until activated, put in place while nobody has the site open."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from ert.errors import AuditBroken, DatabaseBusy, InvalidSite, NotFound, Refused
from ert.storage import documents, restore, schema
from ert.storage.assembly import SiteOptions
from ert.storage.maintenance import SiteCare
from tests.integration.storage import samples

WHO = {"user_name": samples.LOGIN, "password": samples.PASSWORD}
REASON = "disk failed, backup of Monday"


def quiet(_fraction, _text):
    """Nobody watches."""


@pytest.fixture(scope="module")
def template(tmp_path_factory, rows_lie):
    """A site, a backup of its first revision, and a second revision after it; what the workstation remembers."""
    folder = tmp_path_factory.mktemp("restore")
    samples.copied_site(folder / "site")
    site = samples.open_site(folder / "site", anchors=folder / "anchors")
    course = samples.import_one(site)
    plan = samples.plan_of(course)
    site.plans.save(plan, base_revision=0, doses=[samples.dose()])
    site.start_backup(folder / "backups").finish()
    site.plans.save(samples.renamed(plan, "after the backup"), base_revision=1)
    site.close()
    return folder, plan


@pytest.fixture
def folder(template, tmp_path):
    shutil.copytree(template[0], tmp_path / "clinic")
    samples.separate(tmp_path / "clinic" / "site")
    return tmp_path / "clinic"


@pytest.fixture
def care(folder):
    return SiteCare(SiteOptions(anchor_folder=folder / "anchors"))


@pytest.fixture
def copy(folder, care):
    care.restore(folder / "backups", "", to=folder / "copy", progress=quiet, **WHO)
    return folder / "copy"


def opened(path, folder):
    return samples.open_site(path, anchors=folder / "anchors")


def events(site):
    """Every event of the history with what it noted."""
    with site.records.database.read() as connection:
        rows = connection.execute(schema.history.select().order_by(schema.history.c.seq)).mappings().all()
    guard = site.records.guard
    return [
        (
            row["event"],
            documents.read_document(
                "change",
                guard.decrypt(row["change_ct"], table="history", row_id=str(row["seq"]), column="change_ct"),
            ),
        )
        for row in rows
    ]


def test_an_existing_folder_is_refused_and_untouched(folder, care):
    for name in ("site", "there"):
        (folder / "there").mkdir(exist_ok=True)
        before = sorted(p.name for p in (folder / name).iterdir())
        with pytest.raises(InvalidSite, match="exists already"):
            care.restore(folder / "backups", "", to=folder / name, progress=quiet, **WHO)
        assert sorted(p.name for p in (folder / name).iterdir()) == before


def test_an_unknown_id_is_refused(folder, care):
    for backup_id in ("20200101T000000-000000Z", "../../etc"):
        with pytest.raises(NotFound):
            care.restore(folder / "backups", backup_id, to=folder / "copy", progress=quiet, **WHO)
    assert not (folder / "copy").exists()


def test_a_copy_says_so_takes_no_change_and_leaves_the_memory_of_the_site_alone(folder, copy, template):
    memory = {p.name: p.read_bytes() for p in (folder / "anchors").iterdir() if p.is_file()}
    site = opened(copy, folder)
    try:
        assert "RESTORED COPY" in site.site_name
        with pytest.raises(Refused, match="nothing can be saved"):
            site.plans.save(samples.renamed(template[1], "lost"), base_revision=1)
        with pytest.raises(Refused, match="nothing can be saved"):
            samples.import_one(site, seed=2, number="2")
        with pytest.raises(Refused, match="not backed up"):
            site.start_backup(folder / "backups")
        site.record_event("opened")
        assert events(site)[-1][0] == "restored from backup"
        assert {f.code for f in site.check()} <= {"CHECK-RESTORED", "CHECK-ORPHAN"}
    finally:
        site.close()
    assert {p.name: p.read_bytes() for p in (folder / "anchors").iterdir() if p.is_file()} == memory
    opened(folder / "site", folder).close()


def test_activation_keeps_the_former_folder_and_notes_why(folder, care, copy):
    before = {p.relative_to(folder / "site"): p.read_bytes() for p in (folder / "site").rglob("*") if p.is_file()}
    aside = care.activate(copy, folder / "site", reason=REASON, **WHO)
    assert {p.relative_to(aside): p.read_bytes() for p in aside.rglob("*") if p.is_file()} | {
        path: data for path, data in before.items() if path.name == "site.lock"
    } == before
    assert not copy.exists()
    site = opened(folder / "site", folder)
    try:
        assert "RESTORED" not in site.site_name
        (_, restored), (_, activated) = [e for e in events(site) if "restored" in e[0]]
        assert restored["backup"] == care.backups(folder / "backups")[0].backup_id
        assert activated == {"reason": REASON, "kept_aside": aside.name}
        assert site.check() == ()
        site.record_event("works")
    finally:
        site.close()
    (note,) = (folder / "anchors").glob("*.restores.jsonl")
    assert json.loads(note.read_bytes())["reason"] == REASON
    former = samples.open_site(aside)
    try:
        (head,) = former.plans.heads(former.patients.courses(former.patients.patients()[0].id)[0].id)
        assert (head.name, head.revision) == ("after the backup", 2)
    finally:
        former.close()


def test_a_workstation_that_saw_more_asks_for_a_reason_once(folder, care, copy):
    shutil.copytree(folder / "anchors", folder / "anchors-2")
    care.activate(copy, folder / "site", reason=REASON, **WHO)
    with pytest.raises(AuditBroken, match="went back in time"):
        samples.open_site(folder / "site", anchors=folder / "anchors-2")
    other = SiteCare(SiteOptions(anchor_folder=folder / "anchors-2"))
    assert {f.code for f in other.check(folder / "site", level=4, progress=quiet, **WHO)} == {"CHECK-WENT-BACK"}
    other.accept_restore(folder / "site", reason=REASON, **WHO)
    samples.open_site(folder / "site", anchors=folder / "anchors-2").close()
    assert other.check(folder / "site", level=4, progress=quiet, **WHO) == ()
    assert len(list((folder / "anchors-2").glob("*.restores.jsonl"))) == 1


@pytest.mark.parametrize("which", ["site", "copy"])
def test_activation_is_refused_while_somebody_has_either_open(folder, care, copy, which):
    script = (
        "import sys; from pathlib import Path; from tests.integration.storage import samples\n"
        "site = samples.open_site(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    arguments = [sys.executable, "-c", script, str(folder / which)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "open\n"
        with pytest.raises(DatabaseBusy, match="open"):
            care.activate(copy, folder / "site", reason=REASON, **WHO)
        assert copy.exists()
        child.kill()
        child.wait()
    # A killed process holds nothing any more.
    assert care.activate(copy, folder / "site", reason=REASON, **WHO) is not None


def test_while_a_site_is_replaced_nobody_opens_it(folder, care, copy, monkeypatch):
    seen = []

    def look(*arguments, **options):
        with pytest.raises(DatabaseBusy, match="putting a restored copy in the place"):
            samples.open_site(folder / "site")
        seen.append(True)
        return note(*arguments, **options)

    note = restore._note_activation
    monkeypatch.setattr(restore, "_note_activation", look)
    care.activate(copy, folder / "site", reason=REASON, **WHO)
    assert seen == [True]
    samples.open_site(folder / "site").close()


def test_what_may_not_be_activated(folder, care, copy, tmp_path):
    samples.make_site(tmp_path / "other")
    (folder / "letters").mkdir()
    (folder / "letters" / "a.txt").write_bytes(b"x")
    for call, error in (
        (lambda: care.activate(copy, folder / "site", reason=" ", **WHO), Refused),
        (lambda: care.activate(folder / "site", folder / "new", reason=REASON, **WHO), Refused),
        (lambda: care.activate(copy, tmp_path / "other", reason=REASON, **WHO), InvalidSite),
        (lambda: care.activate(copy, folder / "letters", reason=REASON, **WHO), InvalidSite),
    ):
        with pytest.raises(error):
            call()
    assert copy.exists()
    samples.open_site(folder / "site").close()
    assert [p.name for p in (folder / "letters").iterdir()] == ["a.txt"]


def test_a_lost_site_is_replaced_and_a_copy_may_become_one_where_it_lies(folder, care, copy):
    shutil.rmtree(folder / "site")
    assert care.activate(copy, folder / "site", reason=REASON, **WHO) is None
    opened(folder / "site", folder).close()
    care.restore(folder / "backups", "", to=folder / "second", progress=quiet, **WHO)
    assert care.activate(folder / "second", folder / "second", reason=REASON, **WHO) is None
    site = samples.open_site(folder / "second")
    site.record_event("works")
    site.close()


def test_an_interrupted_activation_is_finished_by_running_it_again(folder, care, copy, monkeypatch):
    def die(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(restore, "sync_folder", die)
        patch.setattr(type(copy), "rename", die)
        with pytest.raises(KeyboardInterrupt):
            care.activate(copy, folder / "site", reason=REASON, **WHO)
    (folder / "site").rename(folder / "site.before")
    assert care.activate(copy, folder / "site", reason=REASON, **WHO) is None
    opened(folder / "site", folder).close()


def test_a_destroyed_store_file_does_not_keep_a_site_from_being_replaced(folder, care, copy):
    (folder / "site" / "store.json").write_bytes(b"\0" * 100)
    aside = care.activate(copy, folder / "site", reason=REASON, **WHO)
    assert (aside / "store.json").read_bytes() == b"\0" * 100
    opened(folder / "site", folder).close()


def test_a_backup_of_an_older_program_is_verified_restored_and_brought_up_to_date(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        samples.as_first_version(patch)
        samples.make_site(tmp_path / "site")
        old = samples.open_site(tmp_path / "site")
        plan = samples.plan_of(samples.import_one(old))
        old.plans.save(plan, base_revision=0, doses=[samples.dose()])
        made = old.start_backup(tmp_path / "backups").finish()
        old.close()
    assert made.is_good
    care = SiteCare()
    assert care.verify_backup(tmp_path / "backups", "", level=4, progress=quiet, **WHO) == (made.backup_id, ())
    care.restore(tmp_path / "backups", "", to=tmp_path / "copy", progress=quiet, **WHO)
    assert {f.code for f in care.check(tmp_path / "copy", level=4, progress=quiet, **WHO)} == {"CHECK-OLDER"}
    care.activate(tmp_path / "copy", tmp_path / "site", reason=REASON, **WHO)
    site = samples.open_site(tmp_path / "site")
    try:
        assert "database brought up to date" in [name for name, _ in events(site)]
        assert site.plans.load(plan.id).plan == plan
        assert site.ct_curves.history() == ()
        assert site.check() == ()
    finally:
        site.close()
