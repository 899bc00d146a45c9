"""The cache of this workstation: its limit, several processes, disks that fail."""

import errno
import logging
import multiprocessing
import os
import resource
import time
import uuid

import attrs
import pytest

from ert.storage import cache_folder
from ert.storage.cache_entry import EntrySealer
from ert.storage.cache_folder import CacheFolder
from ert.storage.cache_local import LocalDoseCache
from ert.storage.cache_shelf import Shelf
from ert.storage.keys import KEY_BYTES, PURPOSES, Vault
from tests.integration.storage import samples

SITE = "8b6b2f0e-1111-4000-8000-000000000001"


@pytest.fixture
def tmp_path(tmp_path):
    """The folder of one site in a cache folder of this test's own."""
    folder = tmp_path / "doses" / SITE
    folder.mkdir(parents=True)
    return folder


def fixed_vault() -> Vault:
    """The same keys in every process."""
    keys = {purpose: bytes([number]) * KEY_BYTES for number, purpose in enumerate(PURPOSES)}
    return Vault(store_id=SITE, generation=1, master_key=bytes(KEY_BYTES), purpose_keys=keys)


def cache_in(path, *, limit_bytes=10_000_000, folder=CacheFolder) -> LocalDoseCache:
    return LocalDoseCache(Shelf(folder(path), EntrySealer(fixed_vault()), limit_bytes=limit_bytes))


def digest(number: int) -> str:
    return f"{number:064x}"


def bytes_there(path) -> int:
    return sum(file.stat().st_size for file in path.iterdir())


@pytest.fixture(scope="module")
def entry_bytes():
    return len(EntrySealer(fixed_vault()).seal(samples.dose(digest(0))))


def test_the_limit_holds_on_the_disk_and_the_least_recently_used_go_first(tmp_path, entry_bytes):
    limit = int(entry_bytes * 5.5)
    cache = cache_in(tmp_path, limit_bytes=limit)
    for number in range(5):
        cache.put(samples.dose(digest(number), seed=number))
        path = tmp_path / f"{cache._shelf._sealer.name(digest(number))}.ertc"
        os.utime(path, (1_000_000 + 1000 * number,) * 2)  # 1000 s apart
    assert cache.get(digest(0)) is not None  # used now: no longer the oldest
    cache.put(samples.dose(digest(5), seed=5))
    assert bytes_there(tmp_path) <= limit
    assert cache.get(digest(0)) is not None
    assert cache.get(digest(1)) is None
    assert cache.get(digest(5)) is not None
    for number in range(6, 40):
        cache.put(samples.dose(digest(number), seed=number))
        assert bytes_there(tmp_path) <= limit
    assert cache.size_bytes() == bytes_there(tmp_path)


def test_entries_written_by_others_count_though_this_cache_never_saw_them(tmp_path, entry_bytes):
    for number in range(10):
        cache_in(tmp_path).put(samples.dose(digest(number), seed=number))
    assert bytes_there(tmp_path) > 4 * entry_bytes
    cache_in(tmp_path, limit_bytes=4 * entry_bytes).put(samples.dose(digest(99)))
    assert bytes_there(tmp_path) <= 4 * entry_bytes


def test_doses_of_sites_that_are_gone_retire_too(tmp_path, entry_bytes):
    gone = tmp_path.parent / str(uuid.uuid4())
    for number in range(4):
        cache_in(gone).put(samples.dose(digest(number), seed=number))
    cache_in(tmp_path, limit_bytes=3 * entry_bytes).put(samples.dose(digest(9)))
    assert bytes_there(gone) + bytes_there(tmp_path) <= 3 * entry_bytes
    assert cache_in(tmp_path).get(digest(9)) is not None


def test_a_dose_larger_than_the_limit_is_not_kept_and_drives_nothing_out(tmp_path, entry_bytes):
    cache_in(tmp_path).put(samples.dose(digest(1)))
    small = cache_in(tmp_path, limit_bytes=entry_bytes - 1)
    small.put(samples.dose(digest(2)))
    assert cache_in(tmp_path).get(digest(1)) is not None
    assert cache_in(tmp_path).get(digest(2)) is None


def test_what_was_left_unfinished_is_removed_after_an_hour_and_strangers_files_never(tmp_path):
    cache = cache_in(tmp_path)
    cache.put(samples.dose(digest(1)))
    old, fresh, bad = (f"{uuid.uuid4()}{end}" for end in (".part", ".part", ".bad"))
    strangers = {"readme.txt", "download.part", "photo.bad", "x.ertc"}
    for name, age_s in {old: 7200, fresh: 60, bad: 0, **dict.fromkeys(strangers, 10**7)}.items():
        (tmp_path / name).write_bytes(b"abc")
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    downloads = tmp_path.parent / "Downloads" / f"{uuid.uuid4()}.part"
    downloads.parent.mkdir()
    downloads.write_bytes(b"abc")
    os.utime(downloads, (0, 0))
    cache.put(samples.dose(digest(2)))
    kept = {p.name for p in tmp_path.iterdir()}
    assert strangers | {fresh} <= kept
    assert not {old, bad} & kept
    cache.clear()
    assert {p.name for p in tmp_path.iterdir()} == strangers
    assert downloads.exists()
    assert cache.get(digest(1)) is None


def test_clearing_removes_the_folder_and_the_cache_goes_on(tmp_path):
    place = tmp_path.parent / "a" / "b"
    cache = cache_in(place)
    cache.put(samples.dose(digest(1)))
    assert cache.report().entries == 1
    cache.clear()
    assert not place.exists()
    assert cache.report().is_working
    cache.put(samples.dose(digest(1)))
    assert cache.get(digest(1)) == samples.dose(digest(1))


class Faulty(CacheFolder):
    """A disk that says no."""

    number = errno.ENOSPC

    def write(self, name, entry):
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_disk_that_takes_nothing_is_silently_no_cache(tmp_path, caplog, monkeypatch, number):
    cache_in(tmp_path).put(samples.dose(digest(1)))
    monkeypatch.setattr(Faulty, "number", number)
    cache = cache_in(tmp_path, folder=Faulty)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            cache.put(samples.dose(digest(2)))
            assert cache.get(digest(1)) is not None  # what lies there can be read
            assert cache.get(digest(2)) is None
    assert len(caplog.records) == 1
    assert not cache.report().is_working
    assert os.strerror(number).lower() in cache.report().state


def test_a_folder_that_cannot_be_made_is_no_cache(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    cache = cache_in(tmp_path / "file" / "doses")
    cache.put(samples.dose(digest(1)))
    assert cache.get(digest(1)) is None
    assert cache.size_bytes() == 0
    cache.clear()
    assert not cache.report().is_working


def _fill_a_full_disk(path, answers):
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # the system refuses every byte beyond
    cache = cache_in(path)
    cache.put(samples.dose(digest(1)))
    answers.put((cache.get(digest(1)) is None, cache.report().is_working, [p.name for p in path.iterdir()]))


def test_a_write_that_the_system_breaks_off_leaves_nothing(tmp_path):
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    child = context.Process(target=_fill_a_full_disk, args=(tmp_path, answers))
    child.start()
    assert answers.get(timeout=60) == (True, False, [])
    child.join()


def test_a_use_that_cannot_be_noted_is_no_trouble(tmp_path, monkeypatch):
    cache = cache_in(tmp_path)
    cache.put(samples.dose(digest(1)))

    def refuse(*_args):
        raise PermissionError(errno.EPERM, "not the owner")

    monkeypatch.setattr(cache_folder.os, "utime", refuse)
    assert cache.get(digest(1)) == samples.dose(digest(1))
    assert cache.report().is_working


def test_the_state_is_told_without_naming_a_file_of_the_user(tmp_path):
    cache = cache_in(tmp_path, folder=Faulty)
    cache.put(attrs.evolve(samples.dose(digest(1))))
    assert str(tmp_path) not in cache.report().state
