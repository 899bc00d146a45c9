"""What each level of the whole-site check finds on sites nobody has open, and what it says of files of no record."""

from __future__ import annotations

import os
import shutil
import time

import pytest
import sqlcipher3

from ert.domain.record import Severity
from ert.errors import Cancelled, DatabaseBusy, ErtError, NotASite, SchemaTooNew, WrongKey
from ert.storage.assembly import DATABASE, SiteOptions
from ert.storage.maintenance import SiteCare
from ert.storage.presence import exclude
from tests.integration.storage import samples

WHO = {"user_name": samples.LOGIN, "password": samples.PASSWORD}


def quiet(_fraction, _text):
    """Nobody watches."""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A site with a patient, a plan with a dose; its database key."""
    root = samples.copied_site(tmp_path_factory.mktemp("levels") / "site")
    site = samples.open_site(root)
    plan = samples.plan_of(samples.import_one(site))
    site.plans.save(plan, base_revision=0, doses=[samples.dose()])
    literal = site.records.guard._vault.database_key_literal()
    site.close()
    return root, literal


@pytest.fixture
def root(template, tmp_path):
    return shutil.copytree(template[0], tmp_path / "site")


def check(root, level=4, care=None, **options):
    return (care or SiteCare()).check(root, level=level, progress=quiet, **WHO, **options)


def wrong(root, level=4):
    return {f.code for f in check(root, level) if f.severity is not Severity.NOTE}


def tamper(template, root, statement):
    connection = sqlcipher3.connect(str(root / DATABASE), isolation_level=None)
    connection.execute(f'PRAGMA key = "{template[1]}"')
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(statement)
    connection.close()


def rewrite(path, data):
    path.chmod(0o600)
    path.write_bytes(data)


def test_a_sound_site_is_sound_at_every_level_and_not_changed(root):
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    assert [check(root, level) for level in range(5)] == [()] * 5
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file() and p.name != "site.lock"} == {
        path: data for path, data in before.items() if path.name != "site.lock"
    }


def test_each_level_finds_what_it_is_for_and_lower_ones_do_not_read_it(template, root):
    (first, second), *_ = [sorted((root / "data").rglob("*.erte"), key=lambda p: p.stat().st_size)[:2]]
    data = first.read_bytes()
    rewrite(first, data[:-1] + bytes([data[-1] ^ 1]))
    assert [wrong(root, level) for level in range(5)] == [set(), set(), set(), {"CHECK-FILE"}, {"CHECK-FILE"}]
    rewrite(first, data)
    tamper(template, root, "UPDATE plan SET state = 'APPROVED'")
    assert [wrong(root, level) for level in range(3)] == [set(), set(), {"CHECK-ROW"}]
    tamper(template, root, "UPDATE plan SET state = 'DRAFT'")
    tamper(template, root, "PRAGMA foreign_keys = OFF")
    tamper(template, root, "DELETE FROM course")
    assert [wrong(root, level) for level in range(2)] == [set(), {"CHECK-DATABASE"}]
    assert second.is_file()


def test_only_the_last_level_decrypts(template, root):
    """A file and its row changed together by somebody with the database key, but not the others."""
    path = next((root / "data").rglob("*.erte"))
    data = path.read_bytes()
    rewrite(path, data[:-1] + bytes([data[-1] ^ 1]))
    import hashlib

    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    tamper(template, root, f"UPDATE file SET sha256_cipher = x'{digest}' WHERE path LIKE '%{path.name}'")
    found = check(root, 4)
    assert {f.code for f in found} == {"CHECK-ROW", "CHECK-FILE"}
    assert {f.code for f in check(root, 3)} == {"CHECK-ROW"}


@pytest.mark.parametrize("place", ["first", "header", "context", "middle", "tag", "cut", "grown", "empty", "gone"])
def test_damage_in_any_region_of_any_file_is_named_with_its_path(root, place):
    for path in sorted((root / "data").rglob("*.erte")):
        good = path.read_bytes()
        at = {"first": 0, "header": 40, "context": 63, "middle": len(good) // 2, "tag": len(good) - 16}.get(place)
        if at is not None:
            rewrite(path, good[:at] + bytes([good[at] ^ 0x80]) + good[at + 1 :])
        elif place == "gone":
            path.unlink()
        else:
            rewrite(path, {"cut": good[:-1], "grown": good + b"\0", "empty": b""}[place])
        (found,) = check(root, 3)
        assert found.code == "CHECK-FILE"
        assert found.subject.startswith(path.relative_to(root).as_posix())
        rewrite(path, good) if path.exists() else path.write_bytes(good)
    assert check(root) == ()


def test_damage_in_any_key_file_is_found_or_keeps_the_check_from_running(root):
    silent = []
    shutil.rmtree(root / "keys/attempts", ignore_errors=True)  # hold no keys
    for path in [root / "store.json", *sorted((root / "keys").rglob("*.*"))]:
        good = path.read_bytes()
        for at in range(0, len(good), 7):
            path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
            shutil.rmtree(root / "keys/attempts", ignore_errors=True)  # each damaged slot is a failed attempt, too
            try:
                if not wrong(root, 2):
                    silent.append((path.name, at))
            except (WrongKey, SchemaTooNew):
                continue
        path.write_bytes(good)
    assert silent == []


def test_a_damaged_first_page_and_a_missing_database_are_findings(root):
    good = (root / DATABASE).read_bytes()
    (root / DATABASE).write_bytes(good[:20] + bytes([good[20] ^ 0xFF]) + good[21:])
    assert wrong(root) == {"CHECK-DATABASE"}
    (root / DATABASE).write_bytes(b"SQLite format 3\0" + good[16:])
    assert wrong(root) == {"CHECK-DATABASE"}
    (root / DATABASE).unlink()
    assert wrong(root) == {"CHECK-DATABASE"}
    assert not (root / DATABASE).exists()


def test_a_truncated_database_is_found(root):
    good = (root / DATABASE).read_bytes()
    for pages in (1, 5, 20):
        (root / DATABASE).write_bytes(good[: len(good) - 4096 * pages])
        assert wrong(root, 1)


def test_keys_that_are_gone_are_findings(root):
    (root / "store.json").unlink()
    assert wrong(root) == {"CHECK-KEYS"}


def test_database_and_store_file_of_different_states(root, tmp_path):
    other = tmp_path / "copy"
    shutil.copytree(root, other)
    site = samples.open_site(root)
    site.start_backup(tmp_path / "backups").finish()
    site.close()
    care = SiteCare()
    care.restore(tmp_path / "backups", "", to=tmp_path / "restored", progress=quiet, **WHO)
    shutil.copy(tmp_path / "restored" / DATABASE, other / DATABASE)
    assert "CHECK-META" in wrong(other)


def test_an_older_database_is_noticed_where_the_newer_was_seen(root, tmp_path):
    older = (root / DATABASE).read_bytes()
    samples.open_site(root, anchors=tmp_path / "anchors").close()
    care = SiteCare(SiteOptions(anchor_folder=tmp_path / "anchors"))
    assert check(root, care=care) == ()
    (root / DATABASE).write_bytes(older)
    (found,) = check(root, 2, care=care)
    assert (found.code, found.severity) == ("CHECK-WENT-BACK", Severity.BLOCKER)
    assert check(root, 1, care=care) == ()


def test_files_that_are_no_ones_are_notes_and_go_to_quarantine_only_when_asked(root):
    orphan = root / "data" / "left" / "half.erte"
    orphan.parent.mkdir()
    orphan.write_bytes(b"of a save that did not finish")
    young = root / "data" / "left" / "young.erte"
    young.write_bytes(b"perhaps of a save that is going on")
    strange = [root / "notes.txt", root / "keys" / "copy of ring-1.bin", root / "lists" / "a.csv"]
    for path in strange:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    a_week_ago = time.time() - 7 * 86400
    os.utime(orphan, (a_week_ago, a_week_ago))
    found = check(root)
    assert {f.severity for f in found} == {Severity.NOTE}
    assert {f.subject for f in found if f.code == "CHECK-ORPHAN"} == {"data/left/half.erte", "data/left/young.erte"}
    assert {f.subject for f in found if f.code == "CHECK-STRANGER"} == {
        "notes.txt", "keys/copy of ring-1.bin", "lists/a.csv"
    }  # fmt: skip
    moved = [f.subject for f in check(root, is_quarantining=True) if f.code == "CHECK-QUARANTINED"]
    assert moved == ["data/left/half.erte"]
    kept = root / "quarantine" / "data" / "left" / "half.erte"
    assert kept.read_bytes() == b"of a save that did not finish"
    assert young.exists()
    assert "data/left/half.erte" not in {f.subject for f in check(root)}


def test_what_keeps_a_check_from_running(root, tmp_path):
    with pytest.raises(NotASite):
        check(tmp_path / "nowhere")
    with pytest.raises(WrongKey):
        SiteCare().check(root, level=0, progress=quiet, user_name=samples.LOGIN, password="Radium-227!")
    lock = exclude(root, busy=DatabaseBusy("busy"))
    with pytest.raises(DatabaseBusy):
        check(root)
    lock.release()

    def cancel(_fraction, _text):
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        SiteCare().check(root, level=4, progress=cancel, **WHO)
    assert issubclass(Cancelled, ErtError)


def test_a_database_that_somebody_keeps_locked_is_not_called_damaged(template, root):
    care = SiteCare(SiteOptions(busy_timeout_ms=50))
    locks = []

    def lock_later(_fraction, _text):
        if not locks:
            connection = sqlcipher3.connect(str(root / DATABASE), isolation_level=None)
            connection.execute(f'PRAGMA key = "{template[1]}"')
            connection.execute("BEGIN EXCLUSIVE")
            locks.append(connection)

    with pytest.raises(DatabaseBusy):
        care.check(root, level=2, progress=lock_later, **WHO)
    with pytest.raises(DatabaseBusy):
        care.check(root, level=0, progress=quiet, **WHO)
    locks[0].close()
    assert check(root) == ()


def test_a_check_runs_while_others_work(root):
    site = samples.open_site(root)
    try:
        assert check(root) == ()
        site.record_event("works on")
        assert check(root) == ()
    finally:
        site.close()
