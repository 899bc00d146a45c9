"""Links, pipes and devices that somebody with access to the folder put in the place of the program's folders and files.

What lies behind a link is somebody else's: nothing of it is moved or removed. What is no file is refused as damage, and
nobody waits for it. Each test hangs, or finds the other's files gone, in a program that does not look.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time

import pytest

from ert.domain.backup import BackupState, Retention
from ert.domain.record import Severity
from ert.errors import InvalidSite, StorageFailed
from ert.storage.assembly import SiteOptions
from ert.storage.maintenance import SiteCare
from ert.storage.slots import login_tag
from ert.storage.sweep import quarantine
from tests.integration.storage import samples

WHO = {"user_name": samples.LOGIN, "password": samples.PASSWORD}
_LONG_AGO_S = 90 * 24 * 3600


def quiet(_fraction, _text):
    """Nobody watches."""


@pytest.fixture
def root(tmp_path):
    root = samples.copied_site(tmp_path / "site")
    with contextlib.closing(samples.open_site(root)) as site:
        course = samples.import_one(site)
        site.plans.save(samples.plan_of(course), base_revision=0, doses=[samples.dose()])
    return root


@pytest.fixture
def elsewhere(tmp_path):
    """Another person's folder, untouched for three months."""
    folder = tmp_path / "elsewhere"
    (folder / "below").mkdir(parents=True)
    for name in ("thesis.txt", "below/photo.erte", f"{samples.new_id()}.part"):
        (folder / name).write_bytes(b"irreplaceable")
        age_of(folder / name, _LONG_AGO_S)
    return folder


def age_of(path, seconds):
    os.utime(path, (time.time() - seconds,) * 2, follow_symlinks=False)


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", ["data", "tmp", "trash"])
def test_a_sweep_moves_nothing_of_a_folder_that_is_a_link(root, elsewhere, name):
    before = content(elsewhere)
    (root / name).rename(root / f"former-{name}")
    (root / name).symlink_to(elsewhere)
    with contextlib.closing(samples.open_site(root)) as site:
        with pytest.raises(InvalidSite, match="is a link to another place; nothing was moved or removed there"):
            site.sweep()
        if name != "trash":
            with pytest.raises(InvalidSite, match="is a link"):
                quarantine(site.records, root, quiet)
    assert content(elsewhere) == before
    assert oct((elsewhere / "thesis.txt").stat().st_mode & 0o777) == oct(0o666 & ~umask())


def umask():
    now = os.umask(0)
    os.umask(now)
    return now


def test_links_and_folders_in_the_trash_cost_nobody_anything(root, elsewhere):
    before = content(elsewhere)
    modes = [p.stat().st_mode for p in sorted(elsewhere.rglob("*"))]
    for name, target in (("a.erte", "thesis.txt"), ("b.erte", "below"), ("c.erte", "nothing")):
        (root / "trash" / name).symlink_to(elsewhere / target)
        age_of(root / "trash" / name, _LONG_AGO_S)
    (root / "trash" / "folder").mkdir()
    age_of(root / "trash" / "folder", _LONG_AGO_S)
    with contextlib.closing(samples.open_site(root)) as site:
        assert site.sweep().removed == 3
        assert [f for f in site.check() if f.severity is Severity.BLOCKER] == []
    assert [p.name for p in (root / "trash").iterdir()] == ["folder"]
    assert content(elsewhere) == before
    assert [p.stat().st_mode for p in sorted(elsewhere.rglob("*"))] == modes


def test_a_site_that_is_reached_by_a_link_is_swept_as_ever(root, tmp_path):
    (tmp_path / "way").symlink_to(root)
    stray = root / "data" / "stray.erte"
    stray.write_bytes(b"of a save that did not finish")
    age_of(stray, _LONG_AGO_S)
    with contextlib.closing(samples.open_site(tmp_path / "way")) as site:
        assert site.sweep().moved == ("data/stray.erte",)


@pytest.mark.parametrize("name", ["tmp", "files", "snapshots"])
def test_a_backup_folder_with_a_link_clears_nothing_away(root, elsewhere, tmp_path, name):
    """A link to the site's own folder data/ in the place of files/ would have cost every file of the site."""
    folder = tmp_path / "backups"
    with contextlib.closing(samples.open_site(root)) as site:
        for _ in range(2):
            site.start_backup(folder).finish()
        before = content(elsewhere) | content(root / "data")
        (folder / name).rename(folder / f"former-{name}")
        if name == "files":
            (folder / name).symlink_to(root / "data")
        else:
            shutil.copytree(folder / f"former-{name}", elsewhere, dirs_exist_ok=True)
            before |= content(elsewhere)
            (folder / name).symlink_to(elsewhere)
        with pytest.raises(InvalidSite, match="is a link"):
            site.backups(folder).prune(Retention(keep_last=1))
        if name != "files":
            with pytest.raises(InvalidSite, match="is a link"):
                site.start_backup(folder)
    assert content(elsewhere) | content(root / "data") == before


def test_downloads_of_a_browser_are_no_unfinished_files_of_ours(root, elsewhere):
    (root / "sessions").symlink_to(elsewhere)
    theirs = elsewhere / "big film.mp4.part"
    theirs.write_bytes(b"half of it")
    age_of(theirs, _LONG_AGO_S)
    with contextlib.closing(samples.open_site(root)) as site:
        site.people.enter(samples.new_id())
        assert theirs.exists()


def test_nothing_is_written_through_a_link_in_the_place_of_a_lock(root, tmp_path):
    """Whoever renews keys or activates a copy writes into the lock why all others are kept out."""
    theirs = tmp_path / "thesis.txt"
    theirs.write_bytes(b"irreplaceable")
    (root / "site.lock").unlink()
    (root / "site.lock").symlink_to(theirs)
    with pytest.raises(StorageFailed):
        samples.open_site(root)
    with pytest.raises(StorageFailed):
        samples.sites().renew_data_keys(root, progress=quiet, **WHO)
    assert theirs.read_bytes() == b"irreplaceable"
    (root / "site.lock").unlink()
    samples.open_site(root).close()


def test_no_attempt_is_written_down_through_a_link(root, tmp_path):
    theirs = tmp_path / "thesis.txt"
    theirs.write_bytes(b"irreplaceable")
    store_id = json.loads((root / "store.json").read_bytes())["store"]["store_id"]
    counted = root / "keys" / "attempts" / f"{login_tag(store_id, samples.LOGIN)}.log"
    counted.parent.mkdir(exist_ok=True)
    counted.symlink_to(theirs)
    with pytest.raises(StorageFailed):
        samples.open_site(root)
    assert theirs.read_bytes() == b"irreplaceable"


def a_pipe(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def endless(path):
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def grown(path):
    path.chmod(0o600)
    with path.open("ab") as out:
        out.truncate(10**12)  # a hole: no disk holds what would be copied


@pytest.mark.parametrize("put", [a_pipe, endless, grown])
def test_what_is_no_file_of_a_record_is_damage_and_nobody_waits_for_it(root, tmp_path, put):
    victim = max((root / "data").rglob("*.erte"), key=lambda p: p.stat().st_size)
    put(victim)
    with contextlib.closing(samples.open_site(root)) as site:
        for level in (3, 4):
            codes = {f.code for f in site.check(level=level) if f.severity is Severity.BLOCKER}
            assert codes == {"CHECK-FILE"}
        info = site.start_backup(tmp_path / "backups").finish()
    assert info.state is BackupState.INCOMPLETE
    assert len(info.flaws) == 1


@pytest.mark.parametrize("put", [a_pipe, endless])
def test_what_is_no_key_slot_keeps_nobody_from_signing_in(root, put):
    put(root / "keys" / "slots" / f"{samples.new_id()}.json")
    (root / "keys" / "attempts").mkdir(exist_ok=True)
    samples.open_site(root).close()
    findings = SiteCare(SiteOptions()).check(root, level=2, progress=quiet, **WHO)
    assert [f.code for f in findings if f.severity is Severity.BLOCKER] == ["CHECK-SLOT"]


def test_a_pipe_in_the_place_of_a_colleagues_presence_is_passed_over(root):
    (root / "sessions").mkdir()
    a_pipe(root / "sessions" / f"{samples.new_id()}.here")
    with contextlib.closing(samples.open_site(root)) as site:
        plan = samples.new_id()
        site.people.enter(plan)
        assert site.people.others(plan) == ()


def test_no_folder_of_a_new_site_or_a_copy_is_open_to_others_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        samples.make_site(tmp_path / "site")
        with contextlib.closing(samples.open_site(tmp_path / "site")) as site:
            samples.import_one(site)
            site.people.enter(samples.new_id())
            site.start_backup(tmp_path / "backups").finish()
            open_to_others = shared_with_others(tmp_path / "site")
        SiteCare(SiteOptions()).restore(tmp_path / "backups", "", to=tmp_path / "copy", progress=quiet, **WHO)
    finally:
        os.umask(before)
    assert open_to_others == []
    assert shared_with_others(tmp_path / "copy") == []
    assert shared_with_others(tmp_path / "backups") == []


def shared_with_others(folder):
    found = [folder, *folder.rglob("*")]
    return sorted(p.relative_to(folder).as_posix() for p in found if p.stat().st_mode & 0o077)


@pytest.mark.parametrize("place", ["site/data/copy", "backups/copy", "backups/snapshots/deep/copy"])
def test_nothing_is_restored_into_a_site_or_a_folder_of_backups(root, tmp_path, place):
    """A site's sweep would take what is restored below data/ for left-over files a day later."""
    with contextlib.closing(samples.open_site(root)) as site:
        site.start_backup(tmp_path / "backups").finish()
    with pytest.raises(InvalidSite, match="nothing was restored there"):
        SiteCare(SiteOptions()).restore(tmp_path / "backups", "", to=tmp_path / place, progress=quiet, **WHO)
    assert not (tmp_path / place).parent.exists() or list((tmp_path / place).parent.glob("*copy*")) == []
    with pytest.raises(InvalidSite, match="nothing was created there"):
        samples.make_site(tmp_path / place)
    with contextlib.closing(samples.open_site(root)) as site:
        site.start_backup(tmp_path / "backups").finish()  # the folder itself is no place inside it
    other = samples.copied_site(tmp_path / "other")
    with (
        contextlib.closing(samples.open_site(other)) as site,
        pytest.raises(InvalidSite, match="nothing was backed up there"),
    ):
        site.start_backup(tmp_path / place)
