"""Renewed keys: everything stays readable, former keys open nothing, and a site killed at any step goes on."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from ert.app.jobs import JobContext
from ert.app.key_service import KeyService
from ert.domain.record import Severity
from ert.errors import AuditBroken, BadTag, Conflict, DatabaseBusy, InvalidSite, NotASite, WrongKey
from ert.storage import schema
from ert.storage.assembly import SiteOptions
from ert.storage.maintenance import SiteCare
from ert.storage.opening import DATABASE, opens
from ert.storage.unlock import unlock_with_password, unlock_with_recovery_code
from tests.integration.storage import samples

NEW_PASSWORD = "Polonium-210!"
DOSE = "cd" * 32


def quietly(_fraction, _text):
    """Nobody watches."""


def renew_data_keys(root):
    samples.sites().renew_data_keys(root, user_name=samples.LOGIN, password=samples.PASSWORD, progress=quietly)


@pytest.fixture(scope="module")
def filled(tmp_path_factory, rows_lie):
    """A site with one of everything, its recovery code, and the id of its plan."""
    root = tmp_path_factory.mktemp("filled") / "site"
    code = samples.make_site(root)
    site = samples.open_site(root)
    plan = samples.plan_of(samples.import_one(site))
    site.plans.save(plan, base_revision=0, doses=[samples.dose()])
    site.machines.add(name="LINAC 1", digest="ef" * 32, content=b"package\0" * 1000)
    site.close()
    return root, code, plan


@pytest.fixture
def root(filled, tmp_path):
    return samples.copied(filled[0], tmp_path / "site")


def expect_whole(root, plan, password=samples.PASSWORD):
    """Everything that was kept is there, bit for bit, and the whole site verifies."""
    site = samples.sites().open(root, user_name=samples.LOGIN, password=password)
    try:
        assert site.plans.load(plan.id).plan == plan
        assert site.plans.dose(plan.id, DOSE) == samples.dose()
        assert site.patients.image(plan.image_id).digest == samples.image().digest
        assert site.patients.find("4711", "Clinic").family_name == samples.CANARY
        assert [f for f in site.check() if f.severity is not Severity.NOTE] == []
    finally:
        site.close()


def keys_of(root):
    unlocked = unlock_with_password(root, login=samples.LOGIN, password=samples.PASSWORD)
    return unlocked.vault


def test_a_recovery_code_counts_once_it_was_typed_back(root, filled):
    site = samples.open_site(root)
    pending = site.keys.prepare_recovery_code()
    with pytest.raises(InvalidSite):
        pending.confirm(filled[1])
    unlock_with_recovery_code(root, typed_code=filled[1]).vault.close()
    code = pending.code
    pending.confirm(code)
    site.close()
    with pytest.raises(WrongKey):
        unlock_with_recovery_code(root, typed_code=filled[1])
    unlock_with_recovery_code(root, typed_code=code).vault.close()
    expect_whole(root, filled[2])


def test_a_new_master_key_opens_for_everybody_and_ends_kept_copies_of_slots(root, filled, tmp_path):
    stolen = shutil.copytree(root / "keys", tmp_path / "stolen")
    before = keys_of(root).master_key
    site, other = samples.open_site(root), samples.open_site(root)
    site.keys.renew_master_key()
    assert site.keys.state().ring == 2
    with pytest.raises(Conflict):
        other.accounts.change_own_password(samples.PASSWORD, NEW_PASSWORD)
    site.accounts.change_own_password(samples.PASSWORD, NEW_PASSWORD)
    site.close()
    other.close()
    unlock_with_recovery_code(root, typed_code=filled[1]).vault.close()
    expect_whole(root, filled[2], NEW_PASSWORD)
    assert sorted(p.name for p in (root / "keys").glob("ring*")) == ["ring-2.bin"]
    vault = unlock_with_password(root, login=samples.LOGIN, password=NEW_PASSWORD).vault
    assert vault.master_key != before
    # A slot of before, put back by somebody who kept it: its ring is gone.
    for path in (stolen / "slots").iterdir():
        shutil.copy(path, root / "keys" / "slots")
    with pytest.raises(NotASite):
        samples.open_site(root)


def test_a_slot_put_in_without_the_keys_never_gets_the_new_master_key(root):
    site = samples.open_site(root)
    slot = next(p for p in (root / "keys" / "slots").iterdir())
    data = slot.read_text()
    planted = slot.with_name("00000000-0000-4000-8000-000000000000.json")
    planted.write_text(data.replace(slot.stem, planted.stem))
    with pytest.raises(BadTag):
        site.keys.renew_master_key()
    site.close()
    assert [p.name for p in (root / "keys").glob("ring*")] == ["ring-1.bin"]


@pytest.mark.folder_only
def test_new_data_keys_rewrite_the_database_and_then_the_files(root, filled):
    old = keys_of(root)
    former = shutil.copy(root / DATABASE, root.parent / "former.db")
    renew_data_keys(root)
    new = keys_of(root)
    assert (new.generation, new.ring, new.is_renewing) == (2, 2, False)
    assert len({old.database_key_literal(), new.database_key_literal(), old.field_key.hex(), new.field_key.hex()}) == 4
    assert (old.audit_key, old.index_key) != (new.audit_key, new.index_key)
    assert new.index_key == old.index_key
    assert opens(root / DATABASE, new.database_key_literal())
    assert not opens(root / DATABASE, old.database_key_literal())
    expect_whole(root, filled[2])
    site = samples.open_site(root)
    state = site.keys.state()
    names = {stored.file_id for stored in site.keys.earlier_files()}
    assert (state.generation, state.earlier_files) == (2, len(names))
    renewed = KeyService(site, lambda fn: fn()).renew_files(JobContext(quietly))
    assert (renewed.renewed, renewed.damaged) == (len(names), 0)
    assert site.keys.earlier_files() == ()
    assert len(list((root / "data").rglob("*.erte"))) == 2 * len(names)
    for path in (root / "data").rglob("*.erte"):
        if path.stem in names:
            os.utime(path, (0, 0))
    assert len(site.sweep().moved) == len(names)
    site.close()
    expect_whole(root, filled[2])
    # Negative control: with the database of before, nothing opens.
    shutil.copy(former, root / DATABASE)
    with pytest.raises(WrongKey):
        samples.open_site(root)


def test_cells_and_rows_under_former_keys_are_refused_history_is_read(root, filled):
    old_site = samples.open_site(root)
    with old_site.records.database.read() as connection:
        former = old_site.records.row(connection, schema.plan, filled[2].id)
    old_site.close()
    renew_data_keys(root)
    site = samples.open_site(root)
    guard = site.records.guard
    with pytest.raises(BadTag):
        guard.check_row("plan", former, row_id=former["uuid"])
    with pytest.raises(BadTag):
        guard.decrypt(former["name_ct"], table="plan", row_id=former["uuid"], column="name_ct")
    with site.records.database.read() as connection:
        rows = connection.execute(sa.select(schema.history).order_by(schema.history.c.seq)).mappings().all()
        for row in rows:
            guard.decrypt(row["host_ct"], table="history", row_id=str(row["seq"]), column="host_ct")
        generations = [int.from_bytes(row["host_ct"][1:5], "little") for row in rows]
        assert site.records.trail.verify(connection) == len(rows)
    assert sorted(generations) == generations
    assert set(generations) == {1, 2}
    site.close()


def test_a_damaged_row_is_not_given_a_new_code(root):
    site = samples.open_site(root)
    with site.records.database.write() as connection:
        connection.execute(schema.course.update().values(created_utc="2000-01-01T00:00:00+00:00"))
    site.close()
    with pytest.raises(BadTag):
        renew_data_keys(root)
    site = samples.open_site(root)
    assert site.keys.state().generation == 1
    site.close()
    assert list((root / "tmp").iterdir()) == []


def test_nobody_may_have_the_site_open(root):
    site = samples.open_site(root)
    with pytest.raises(DatabaseBusy, match="open"):
        renew_data_keys(root)
    site.close()


def test_backups_of_before_verify_and_restore_with_the_keys_of_their_day(root, filled, tmp_path):
    backups = tmp_path / "backups"
    site = samples.open_site(root)
    before = site.start_backup(backups).finish()
    site.close()
    renew_data_keys(root)
    site = samples.open_site(root)
    shelf = site.backups(backups)
    assert shelf.verify(before.backup_id) == ()
    KeyService(site, lambda fn: fn()).renew_files(JobContext(quietly))
    after = site.start_backup(backups).finish()
    assert (before.is_good, after.is_good) == (True, True)
    assert [info.is_good for info in shelf.backups()] == [True, True]
    site.close()
    for info in (before, after):
        to = tmp_path / info.backup_id
        SiteCare(SiteOptions()).restore(
            backups, info.backup_id, to=to, user_name=samples.LOGIN, password=samples.PASSWORD, progress=quietly
        )
        restored = samples.open_site(to)
        assert restored.plans.dose(filled[2].id, DOSE) == samples.dose()
        restored.close()


# ---- kills -----------------------------------------------------------------------------------------------------------

_STEPS = ("replace", "rename", "unlink")


def killed_at(step, work):
    """Run `work` in a child that dies just before its n-th change of a folder, so just behind the one before."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code in {0, 9}
        return code == 9
    count = 0

    def dying(real):
        def run(self, *args, **kwargs):
            nonlocal count
            count += 1
            if count == step:
                os._exit(9)
            return real(self, *args, **kwargs)

        return run

    for name in _STEPS:
        setattr(Path, name, dying(getattr(Path, name)))
    try:
        work()
        os._exit(0)
    finally:
        os._exit(1)


@pytest.mark.parametrize("what", ["data", "master"])
def test_a_kill_at_any_step_leaves_a_site_that_opens_and_goes_on(filled, tmp_path, what):
    def master(root):
        site = samples.open_site(root)
        site.keys.renew_master_key()
        site.close()

    renew = renew_data_keys if what == "data" else master
    steps = 0
    while True:
        root = samples.copied(filled[0], tmp_path / f"site-{steps}")
        if not killed_at(steps + 1, lambda root=root: renew(root)):
            break
        steps += 1
        expect_whole(root, filled[2])
        unlock_with_recovery_code(root, typed_code=filled[1]).vault.close()
        renew(root)
        expect_whole(root, filled[2])
        assert len(list((root / "keys").glob("ring-*.bin"))) == 1
        assert not keys_of(root).is_renewing
        shutil.rmtree(root)
    assert steps >= (8 if what == "data" else 4)


@pytest.mark.folder_only
def test_the_database_file_is_not_plain_in_between(root):
    """The copy under way never is a readable SQLite file."""
    seen = []

    def look(_fraction, text):
        for path in (root / "tmp").glob("*.db"):
            seen.append((text, path.read_bytes()[:16]))
            with pytest.raises(sqlite3.DatabaseError):
                sqlite3.connect(path).execute("SELECT count(*) FROM sqlite_master")

    samples.sites().renew_data_keys(root, user_name=samples.LOGIN, password=samples.PASSWORD, progress=look)
    assert seen
    assert all(not head.startswith(b"SQLite") for _, head in seen)


def test_the_history_of_before_a_renewal_can_be_read_and_only_as_it_was(root, filled):
    renew_data_keys(root)
    site = samples.open_site(root)
    try:
        site.plans.save(samples.renamed(filled[2], "after"), base_revision=1, reason="after the renewal")
        found = site.activity.revisions(filled[2].id)
        assert [(r.revision, r.saved_by, r.reason) for r in found] == [
            (2, samples.LOGIN, "after the renewal"),
            (1, samples.LOGIN, ""),
        ]
        trail, history = site.records.trail, schema.history
        with site.records.database.read() as connection:
            rows = [dict(r) for r in connection.execute(sa.select(history).order_by(history.c.seq)).mappings()]
        for row in (rows[0], rows[-1]):
            trail.check_row(row)
            for changed in ({"event": "nothing"}, {"host_ct": b""}, {"host_ct": rows[1]["host_ct"]}):
                with pytest.raises(AuditBroken):
                    trail.check_row(row | changed)
    finally:
        site.close()
