"""Backups of real sites: complete, incremental, verified; damage is named, the newest good one is never removed."""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import json
import os

import pytest

from ert.domain.backup import BackupState, Retention
from ert.errors import BadTag, Cancelled, DatabaseBusy, DiskFull, InvalidSite, NotFound, Refused, WrongKey
from ert.storage import atomic, backup_format
from ert.storage.assembly import SiteOptions
from ert.storage.backup import lock_folder
from ert.storage.maintenance import SiteCare
from ert.storage.sites import Sites
from tests.integration.storage import samples

WHO = {"user_name": samples.LOGIN, "password": samples.PASSWORD}


def quiet(_fraction, _text):
    """Nobody watches."""


@pytest.fixture(scope="module")
def template(tmp_path_factory, rows_lie):
    """A site with a patient, a plan with a dose, a machine."""
    root = samples.copied_site(tmp_path_factory.mktemp("backup") / "site")
    site = samples.open_site(root)
    course = samples.import_one(site)
    plan = samples.plan_of(course)
    site.plans.save(plan, base_revision=0, doses=[samples.dose()])
    site.machines.add(name="LINAC 1", digest="ef" * 32, content=b"package")
    site.close()
    return root, course, plan


@pytest.fixture
def root(template, tmp_path):
    return samples.copied(template[0], tmp_path / "site")


@pytest.fixture
def site(root):
    opened = samples.open_site(root)
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "backups"


def back_up(site, folder, **options):
    return site.start_backup(folder).finish(**options)


def written_bytes(folder):
    """Every file below a folder with its size; what is hidden in the manifest cannot fool it."""
    return {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def codes(findings):
    return {finding.code for finding in findings}


def restored(folder, to, backup_id=""):
    return SiteCare().restore(folder, backup_id, to=to, progress=quiet, **WHO)


def test_a_backup_restores_to_the_same_records_and_bytes(site, root, folder, tmp_path, template):
    made = back_up(site, folder)
    assert (made.state, made.file_count, made.verified_level) == (BackupState.COMPLETE, 5, 3)
    assert site.backups(folder).verify(made.backup_id) == ()
    done = restored(folder, tmp_path / "new")
    assert (done.backup_id, done.findings) == (made.backup_id, ())
    files = {p.relative_to(root).as_posix(): p.read_bytes() for p in (root / "data").rglob("*.erte")}
    new = tmp_path / "new"
    assert {p.relative_to(new).as_posix(): p.read_bytes() for p in (new / "data").rglob("*.erte")} == files
    copy = samples.open_site(new)
    try:
        _, course, plan = template
        assert copy.plans.load(plan.id).plan == plan
        assert copy.plans.dose(plan.id, "cd" * 32) == samples.dose()
        assert copy.patients.image(course.image_id).digest == samples.image().digest
        assert copy.machines.packages() == (b"package",)
    finally:
        copy.close()


def test_a_second_backup_writes_only_what_is_new(site, folder, template):
    first = back_up(site, folder)
    assert first.new_bytes == first.total_bytes
    before = written_bytes(folder)
    dose = samples.dose("ab" * 32, seed=6)
    site.plans.save(samples.renamed(template[2], "second"), base_revision=1, doses=[dose])
    second = back_up(site, folder)
    after = written_bytes(folder)
    assert {path: after.get(path) for path in before} == before
    added = {path: size for path, size in after.items() if path not in before}
    (kept,) = [path for path in added if path.suffix == ".erte"]
    assert second.file_count == first.file_count + 1
    manifest = next(path for path in added if path.name == "manifest.json")
    assert second.new_bytes == sum(added.values()) - manifest.stat().st_size
    database = next(path for path in added if path.name == "site.db")
    assert second.new_bytes < added[kept] + added[database] + 8 * 1024
    third = back_up(site, folder)
    assert third.new_bytes == second.new_bytes - added[kept]


def test_the_newest_good_one_is_found_behind_what_is_not_good(site, root, folder):
    shelf = site.backups(folder)
    assert shelf.newest_good() is None
    first, second = back_up(site, folder), back_up(site, folder)
    assert shelf.newest_good() == second
    damage(folder / "snapshots" / second.backup_id / "manifest.json", b"{}")
    assert shelf.newest_good() == first


def test_nothing_readable_lies_in_a_backup(site, folder):
    back_up(site, folder)
    canary = samples.CANARY.encode()
    for path in folder.rglob("*"):
        assert samples.CANARY not in path.name
        if path.is_file():
            data = path.read_bytes()
            assert canary not in data
            assert b"SQLite format 3" not in data


@pytest.mark.parametrize("where", ["site/backups", "site", "."])
def test_a_folder_in_or_around_the_site_is_refused(site, tmp_path, where):
    with pytest.raises(InvalidSite, match="own folder"):
        site.start_backup(tmp_path / where)


def test_a_folder_of_something_else_or_of_another_site_is_refused(site, folder, tmp_path):
    other = tmp_path / "photographs"
    other.mkdir()
    (other / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(InvalidSite, match="no backups"):
        site.start_backup(other)
    assert [p.name for p in other.iterdir()] == ["holiday.jpg"]
    back_up(site, folder)
    samples.make_site(tmp_path / "second")
    stranger = samples.open_site(tmp_path / "second")
    try:
        with pytest.raises(InvalidSite, match="another site"):
            stranger.start_backup(folder)
    finally:
        stranger.close()


def test_a_folder_whose_first_backup_was_killed_at_once_is_used(site, folder):
    (folder / "tmp").mkdir(parents=True)
    (folder / "tmp" / "half.part").write_bytes(b"{")
    assert back_up(site, folder).is_good
    assert list((folder / "tmp").iterdir()) == []


def test_one_writer_at_a_time(site, folder):
    pending = site.start_backup(folder)
    with pytest.raises(DatabaseBusy, match="Another backup"):
        site.start_backup(folder)
    pending.finish()
    assert len(site.backups(folder).backups()) == 1
    back_up(site, folder)


def test_a_cancelled_backup_leaves_nothing_but_files_for_the_next(site, folder):
    def cancel(fraction, _text):
        if fraction > 0.3:
            raise Cancelled("Stopped.")

    pending = site.start_backup(folder)
    with pytest.raises(Cancelled):
        pending.finish(progress=cancel)
    assert site.backups(folder).backups() == ()
    assert list((folder / "tmp").iterdir()) == []
    assert back_up(site, folder).is_good


# ---- damage in the site ----------------------------------------------------------------------------------------------


def damage(path, data=None):
    good = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]) if data is None else data)
    return good


def test_a_damaged_file_of_the_site_makes_the_backup_incomplete_and_is_named(site, root, folder):
    victim = next((root / "data").rglob("*.erte"))
    damage(victim)
    made = back_up(site, folder)
    assert made.state is BackupState.INCOMPLETE
    assert made.flaws == (f"CHECK-FILE: {victim.relative_to(root).as_posix()}",)
    assert "CHECK-INCOMPLETE" in codes(site.backups(folder).verify(made.backup_id))
    with pytest.raises(NotFound, match="no complete backup"):
        site.backups(folder).newest()


def test_what_an_earlier_backup_has_heals_the_loss(site, root, folder, tmp_path):
    back_up(site, folder)
    next((root / "data").rglob("*.erte")).unlink()
    made = back_up(site, folder)
    assert made.is_good
    assert restored(folder, tmp_path / "new").findings == ()


def test_an_incomplete_backup_restores_only_on_demand(site, root, folder, tmp_path):
    damage(next((root / "data").rglob("*.erte")))
    made = back_up(site, folder)
    with pytest.raises(BadTag, match="does not restore"):
        restored(folder, tmp_path / "new", made.backup_id)
    assert not (tmp_path / "new").exists()
    done = SiteCare().restore(folder, made.backup_id, to=tmp_path / "new", progress=quiet, accept_damage=True, **WHO)
    assert codes(done.findings) == {"CHECK-FILE"}
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".restoring")] == []


# ---- damage in the backup --------------------------------------------------------------------------------------------


def test_every_damaged_byte_region_of_a_backup_is_found(site, folder):
    made = back_up(site, folder)
    shelf = site.backups(folder)
    snapshot = folder / "snapshots" / made.backup_id
    paths = [p for p in snapshot.rglob("*") if p.is_file()] + sorted((folder / "files").rglob("*.erte"))
    assert len(paths) == 5 + 5 + 1
    for path in paths:
        data = path.read_bytes()
        path.chmod(0o600)
        for changed in (
            *(_flipped(data, place) for place in (0, len(data) // 3, len(data) // 2, len(data) - 1)),
            data[:-1],
            data + b"\0",
            b"",
        ):
            path.write_bytes(changed)
            assert shelf.verify(made.backup_id, level=3), path
        path.unlink()
        assert shelf.verify(made.backup_id, level=3), path
        path.write_bytes(data)
    assert shelf.verify(made.backup_id) == ()


def _flipped(data, place):
    return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]


def test_two_files_of_a_backup_that_traded_places_are_both_named(site, folder, root):
    made = back_up(site, folder)
    first, second = sorted((folder / "files").rglob("*.erte"), key=lambda p: p.stat().st_size)[:2]
    one, two = first.read_bytes(), second.read_bytes()
    for path, data in ((first, two), (second, one)):
        path.chmod(0o600)
        path.write_bytes(data)
    found = site.backups(folder).verify(made.backup_id, level=3)
    assert (len(found), codes(found)) == (2, {"CHECK-FILE"})
    names = {p.read_bytes(): p.relative_to(root).as_posix() for p in (root / "data").rglob("*.erte")}
    assert {f.subject.split(":")[0] for f in found} == {names[one], names[two]}


def test_a_manifest_written_without_the_keys_is_refused(site, folder, tmp_path):
    made = back_up(site, folder)
    path = folder / "snapshots" / made.backup_id / "manifest.json"
    document = json.loads(path.read_bytes())
    document["backup"]["files"] = document["backup"]["files"][:-1]
    path.write_text(json.dumps(document), encoding="utf-8")
    assert codes(site.backups(folder).verify(made.backup_id)) == {"CHECK-MANIFEST"}
    assert [b.state for b in site.backups(folder).backups()] == [BackupState.UNREADABLE]
    with pytest.raises(BadTag, match="damaged or was changed"):
        restored(folder, tmp_path / "new", made.backup_id)
    assert not (tmp_path / "new").exists()


def test_a_damaged_file_in_the_backup_is_put_aside_and_copied_again(site, folder):
    back_up(site, folder)
    victim = next((folder / "files").rglob("*.erte"))
    good = damage(victim)
    made = back_up(site, folder)
    assert made.is_good
    assert victim.read_bytes() == good
    (aside,) = (folder / "damaged").iterdir()
    assert aside.name.startswith(victim.stem)
    assert site.backups(folder).verify(made.backup_id) == ()


def test_a_wrong_password_opens_no_backup(site, folder, tmp_path):
    back_up(site, folder)
    with pytest.raises(WrongKey):
        SiteCare().restore(
            folder, "", to=tmp_path / "new", user_name=samples.LOGIN, password="Radium-227!", progress=quiet
        )
    assert not (tmp_path / "new").exists()


# ---- disks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["database", "file", "manifest"])
def test_a_full_disk_leaves_earlier_backups_and_no_half_one(site, folder, template, monkeypatch, step):
    first = back_up(site, folder)
    site.plans.save(samples.renamed(template[2], "second"), base_revision=1, doses=[samples.dose("ab" * 32, seed=6)])
    before = written_bytes(folder)

    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if step == "database":
            patch.setattr(type(site.records.database), "copy_into", _translated(full))
        elif step == "file":
            patch.setattr(backup_format, "is_whole", lambda path, _part: path.exists())
            patch.setattr(atomic, "_rename_new", full)
        else:
            patch.setattr("ert.storage.backup._complete", _translated(full))
        with pytest.raises(DiskFull):
            back_up(site, folder)
    kept = {path: size for path, size in written_bytes(folder).items() if path.suffix != ".erte"}
    assert kept == {path: size for path, size in before.items() if path.suffix != ".erte"}
    assert [b.backup_id for b in site.backups(folder).backups()] == [first.backup_id]
    assert site.backups(folder).verify(first.backup_id) == ()
    assert back_up(site, folder).is_good


def _translated(fail):
    def failing(*arguments, **options):
        with atomic.translated("making a backup"):
            fail(*arguments, **options)

    return failing


# ---- retention -------------------------------------------------------------------------------------------------------


class Calendar:
    def __init__(self):
        self.now = dt.datetime(2026, 2, 20, 9, tzinfo=dt.UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def dated(root, folder, template):
    """A site that was backed up on ten days, each with a dose of its own."""
    clock = Calendar()
    gateway = Sites(SiteOptions(clock=clock), kind="sandbox", kdf=samples.FAST)
    site = gateway.open(root, **WHO)
    for day in range(10):
        clock.now += dt.timedelta(days=1)
        dose = samples.dose(f"{day:064x}", seed=day)
        site.plans.save(samples.renamed(template[2], f"day {day}"), base_revision=day + 1, doses=[dose])
        back_up(site, folder)
    yield site
    site.close()


def test_a_backup_of_a_clock_that_was_ahead_is_not_taken_for_the_newest(root, folder, template):
    """Once by ten years, for one backup: what is restored, kept and waited for is the newest content all the same."""
    clock = Calendar()
    gateway = Sites(SiteOptions(clock=clock), kind="sandbox", kdf=samples.FAST)
    with contextlib.closing(gateway.open(root, **WHO)) as site:
        made = []
        for revision, year in enumerate((2026, 2036, 2026, 2026), start=1):
            clock.now = clock.now.replace(year=year) + dt.timedelta(days=1)
            site.plans.save(samples.renamed(template[2], f"edit {revision}"), base_revision=revision)
            made.append(back_up(site, folder))
        shelf = site.backups(folder)
        assert shelf.newest() == made[-1].backup_id
        assert shelf.newest_good() == made[-1]
        site.backups(folder).prune(Retention(keep_last=1))
        assert {b.backup_id for b in shelf.backups()} == {made[-1].backup_id, made[1].backup_id}
    restored = SiteCare(SiteOptions()).restore(folder, "", to=root.with_name("copy"), progress=quiet, **WHO)
    with contextlib.closing(samples.open_site(restored.folder)) as copy:
        assert copy.plans.load(template[2].id).plan.name == "edit 4"


def test_what_is_backed_up_after_a_second_restore_is_newer_than_the_branch_that_was_left(root, folder, template):
    """Both branches would have had the epoch after the first backup's, and the longer one was left."""
    with contextlib.closing(samples.open_site(root)) as site:
        first = back_up(site, folder)
    care, copy = SiteCare(SiteOptions()), root.with_name("copy")

    def go_back():
        care.restore(folder, first.backup_id, to=copy, progress=quiet, **WHO)
        care.activate(copy, root, reason="the disk was lost", **WHO)

    go_back()
    with contextlib.closing(samples.open_site(root)) as site:
        for revision in range(1, 6):
            site.plans.save(samples.renamed(template[2], f"left {revision}"), base_revision=revision)
        left = back_up(site, folder)
    go_back()
    with contextlib.closing(samples.open_site(root)) as site:
        going_on = back_up(site, folder)
        assert going_on.head_seq < left.head_seq
        assert site.backups(folder).newest() == going_on.backup_id
        site.backups(folder).prune(Retention(keep_last=1))
        assert [b.backup_id for b in site.backups(folder).backups()] == [going_on.backup_id]


def days(shelf):
    return [f"{b.created:%m-%d}" for b in shelf.backups()]


def test_pruning_keeps_exactly_what_the_rule_says_and_every_file_it_needs(dated, folder):
    shelf = dated.backups(folder)
    assert days(shelf) == [f"02-{d}" for d in range(21, 29)] + ["03-01", "03-02"]
    objects = len(list((folder / "files").rglob("*.erte")))
    pruned = shelf.prune(Retention(keep_daily=2, keep_weekly=3, keep_monthly=2))
    # 03-01 and 02-22 are the Sundays that end ISO weeks; 02-28 is the last of February
    assert days(shelf) == ["02-22", "02-28", "03-01", "03-02"]
    assert len(pruned.removed) == 6
    assert [shelf.verify(b.backup_id, level=4) for b in shelf.backups()] == [()] * 4
    # Later revisions keep the earlier doses, so the newest backup names every file there is.
    assert len(list((folder / "files").rglob("*.erte"))) == objects
    assert pruned.freed_bytes == 0


def test_files_only_removed_backups_needed_are_removed(dated, folder):
    shelf = dated.backups(folder)
    stray = folder / "files" / "ab" / f"{'ab' * 32}.erte"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"left by an interrupted backup")
    pruned = shelf.prune(Retention(keep_monthly=12))
    assert days(shelf) == ["02-28", "03-02"]
    assert (stray.exists(), pruned.freed_bytes) == (False, 29)


def test_a_newest_backup_that_is_damaged_does_not_cost_the_last_good_one(dated, folder):
    shelf = dated.backups(folder)
    newest = shelf.backups()[-1]
    damage(folder / "snapshots" / newest.backup_id / "site.db")
    shelf.prune(Retention(keep_daily=1))
    assert days(shelf) == ["03-01", "03-02"]
    assert shelf.verify(shelf.backups()[0].backup_id) == ()


def test_nothing_is_removed_where_nothing_is_good(dated, folder):
    shelf = dated.backups(folder)
    for path in folder.rglob("site.db"):
        damage(path)
    with pytest.raises(Refused, match="No backup in this folder is good"):
        shelf.prune(Retention(keep_daily=1))
    assert len(shelf.backups()) == 10


def test_a_rule_that_keeps_nothing_is_refused(dated, folder):
    with pytest.raises(Refused, match="keeps nothing"):
        dated.backups(folder).prune(Retention())
    assert len(dated.backups(folder).backups()) == 10


def test_files_stay_while_some_manifest_cannot_be_read(dated, folder):
    shelf = dated.backups(folder)
    damage(folder / "snapshots" / shelf.backups()[0].backup_id / "manifest.json", b"{")
    stray = folder / "files" / "ab" / f"{'ab' * 32}.erte"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"perhaps that backup's")
    shelf.prune(Retention(keep_daily=1))
    assert [b.state for b in shelf.backups()] == [BackupState.UNREADABLE, BackupState.COMPLETE]
    assert stray.exists()


def test_pruning_waits_for_a_backup_that_is_being_written(dated, folder):
    lock = lock_folder(folder)
    with pytest.raises(DatabaseBusy):
        dated.backups(folder).prune(Retention(keep_daily=1))
    lock.release()
