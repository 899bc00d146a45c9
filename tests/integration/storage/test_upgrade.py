"""A site made with the first tables only is brought up to date when it is opened; nothing is lost, a backup is kept."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys

import pytest
import sqlalchemy as sa

from ert.errors import AuditBroken, BadTag, DiskFull, NotASite, Refused, SchemaTooOld
from ert.storage import schema, upgrade
from ert.storage.assembly import DATABASE
from ert.storage.database import Database
from ert.storage.maintenance import SiteCare
from ert.storage.opening import Access
from ert.storage.unlock import unlock_with_password
from tests.integration.storage import samples


@pytest.fixture(scope="module")
def old_template(tmp_path_factory):
    """A site with every kind of record, its database made by migration 0001 alone."""
    root = tmp_path_factory.mktemp("old") / "site"
    with pytest.MonkeyPatch.context() as patch:
        samples.as_first_version(patch)
        samples.make_site(root)
        site = samples.open_site(root)
        course = samples.import_one(site)
        plan = samples.plan_of(course)
        site.plans.save(plan, base_revision=0, doses=[samples.dose()])
        site.plans.save(samples.renamed(plan, "second"), base_revision=1)
        site.machines.add(name="LINAC 1", digest="ef" * 32, content=b"package")
        site.close()
    return root


@pytest.fixture
def root(old_template, tmp_path):
    path = tmp_path / "site"
    shutil.copytree(old_template, path)
    return path


def access_of(root):
    unlocked = unlock_with_password(root, login=samples.LOGIN, password=samples.PASSWORD)
    return Access(
        path=root / DATABASE, key_literal=unlocked.vault.database_key_literal, store_id=unlocked.store.store_id
    )


def everything(path, access) -> dict:
    """Every row of every table of the first schema, straight from the database."""
    import attrs

    database = Database(attrs.evolve(access, path=path), may_migrate=True)
    later = {"ct_curve", "material", "machine_release", "exclusive_lock", "site_setting", "check_tolerance"}
    later |= {"identity_provider", "identity_link", "workstation", "emergency_envelope", "approval"}
    tables = [t for t in schema.metadata.sorted_tables if t.name.removesuffix("_revision") not in later]
    try:
        with database.read() as connection:
            return {t.name: [tuple(r) for r in connection.execute(sa.select(t))] for t in tables}
    finally:
        database.close()


def test_the_old_site_really_is_old(root):
    database = Database(access_of(root), may_migrate=True)
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA user_version").scalar_one() == 1
        names = set(connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars())
        assert connection.exec_driver_sql("SELECT version_num FROM migration").scalar_one() == "0001"
    database.close()
    assert "ct_curve" not in names
    assert "plan_revision" in names
    with pytest.raises(SchemaTooOld, match="has version 1"):
        Database(access_of(root))


def test_opening_brings_it_up_to_date_and_loses_nothing(root):
    access = access_of(root)
    before = everything(access.path, access)
    assert all(before[name] for name in ("patient", "image", "plan", "dose", "machine", "file", "history", "user"))
    old_bytes = access.path.read_bytes()
    site = samples.open_site(root)
    try:
        after = everything(access.path, access)
        for name, rows in before.items():
            if name not in ("store_meta", "history"):
                assert after[name] == rows, name
        assert after["history"][: len(before["history"])] == before["history"]
        events = [dict(zip(schema.history.c.keys(), row, strict=True))["event"] for row in after["history"]]
        assert events[len(before["history"]) :] == ["database brought up to date", "signed in"]
        (patient,) = site.patients.patients()
        (course,) = site.patients.courses(patient.id)
        (head,) = site.plans.heads(course.id)
        assert (head.name, head.revision) == ("second", 2)
        assert site.patients.image(course.image_id).digest == samples.image().digest
        assert site.plans.dose(head.plan_id, "cd" * 32) == samples.dose()
        assert site.machines.packages() == (b"package",)
        assert site.ct_curves.history() == ()
        assert site.check() == ()
    finally:
        site.close()
    (backup,) = (root / "backup").iterdir()
    assert backup.read_bytes() == old_bytes
    assert everything(backup, access) == before


def test_the_recovery_code_opens_an_old_site_too(tmp_path):
    root = tmp_path / "site"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "SCHEMA_VERSION", 1)
        patch.setattr(schema, "MIGRATION_HEAD", "0001")
        code = samples.make_site(root)
    site = samples.sites().recover(root, recovery_code=code, user_name=samples.LOGIN, new_password="Polonium-84!")
    assert site.check() == ()
    site.close()
    assert len(list((root / "backup").iterdir())) == 1


def test_it_happens_once(root):
    samples.open_site(root).close()
    samples.open_site(root).close()
    assert len(list((root / "backup").iterdir())) == 1
    unlocked = unlock_with_password(root, login=samples.LOGIN, password=samples.PASSWORD)
    before = (root / DATABASE).read_bytes()
    upgrade.bring_up_to_date(root, unlocked, samples.SiteOptions())  # a colleague was first
    assert (root / DATABASE).read_bytes() == before


def test_the_backup_put_back_is_a_site_again(root):
    samples.open_site(root).close()
    (backup,) = (root / "backup").iterdir()
    shutil.copy(backup, root / DATABASE)
    site = samples.open_site(root)
    assert site.check() == ()
    site.close()
    assert len(list((root / "backup").iterdir())) == 2


def test_without_room_for_the_backup_nothing_changes(root, monkeypatch):
    before = hashlib.sha256((root / DATABASE).read_bytes()).digest()

    def full(*_args, **_kwargs):
        raise DiskFull("No space.")

    monkeypatch.setattr(upgrade, "write_new_file", full)
    with pytest.raises(DiskFull):
        samples.open_site(root)
    assert hashlib.sha256((root / DATABASE).read_bytes()).digest() == before


def test_a_failing_migration_leaves_the_old_database(root, monkeypatch):
    access = access_of(root)
    before = everything(access.path, access)

    def broken(connection):
        connection.exec_driver_sql("CREATE TABLE half (a)")
        raise RuntimeError("power cut")

    monkeypatch.setattr(upgrade, "migrate", broken)
    with pytest.raises(RuntimeError):
        samples.open_site(root)
    assert everything(access.path, access) == before
    monkeypatch.undo()
    samples.open_site(root).close()


def test_a_process_that_dies_in_the_migration_leaves_a_site_that_opens(root, repository):
    access = access_of(root)
    before = everything(access.path, access)
    script = f"""
import os, sys
sys.path.insert(0, {str(repository)!r})
from pathlib import Path
from ert.storage import upgrade
from tests.integration.storage import samples
real = upgrade.migrate
def die(connection):
    real(connection)
    os._exit(9)
upgrade.migrate = die
samples.open_site(Path({str(root)!r}))
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    assert everything(access.path, access) == before  # SQLite rolls the unfinished transaction back
    site = samples.open_site(root)
    assert site.check() == ()
    site.close()


def test_a_broken_history_is_not_built_upon(root):
    database = Database(access_of(root), may_migrate=True)
    with database.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER history_no_update")
        connection.exec_driver_sql("UPDATE history SET event = 'nothing' WHERE seq = 2")
    database.close()
    before = (root / DATABASE).read_bytes()
    with pytest.raises((AuditBroken, BadTag)):
        samples.open_site(root)
    assert (root / DATABASE).read_bytes() == before


def test_an_older_copy_than_this_workstation_remembers_is_not_brought_up_to_date(root, tmp_path):
    anchors = tmp_path / "anchors"
    older = tmp_path / "older"
    shutil.copytree(root, older)
    site = samples.open_site(root, anchors=anchors)
    site.record_event("something later")
    site.close()
    before = (older / DATABASE).read_bytes()
    with pytest.raises(AuditBroken, match="went back in time"):
        samples.open_site(older, anchors=anchors)
    assert (older / DATABASE).read_bytes() == before
    site = samples.sites(anchors=anchors).open(
        older, user_name=samples.LOGIN, password=samples.PASSWORD, accept_restore_reason="restored on purpose"
    )
    site.close()


def test_a_version_of_nothing_is_still_refused(root):
    database = Database(access_of(root), may_migrate=True)
    with database.write() as connection:
        connection.exec_driver_sql("PRAGMA user_version = 0")
    database.close()
    with pytest.raises(NotASite, match="never finished"):
        samples.open_site(root)


def test_files_of_an_old_site_are_put_aside_only_after_it_was_brought_up_to_date(root):
    orphan = root / "data" / "left.erte"
    orphan.write_bytes(b"x")
    os.utime(orphan, (1, 1))
    who = {"user_name": samples.LOGIN, "password": samples.PASSWORD}
    check = functools.partial(
        SiteCare().check, root, level=0, progress=lambda _f, _t: None, is_quarantining=True, **who
    )
    with pytest.raises(Refused, match="older version of the program wrote this database; no file was moved"):
        check()
    assert orphan.exists()
    samples.open_site(root).close()
    assert [f.code for f in check()] == ["CHECK-QUARANTINED"]
