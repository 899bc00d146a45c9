"""Files appear whole or not at all, whatever part of them the disk takes at once; what killed writers left goes."""

from __future__ import annotations

import fcntl
import io
import os
import uuid

import pytest

from ert.errors import StorageFailed
from ert.storage.atomic import remove_left_unfinished, replace_file, swap_in, write_all
from ert.storage.presence import SITE_LOCK, lock_file

DAY_S = 24 * 3600


class Slow(io.RawIOBase):
    """Takes at most three bytes at once, as an unbuffered file may."""

    def __init__(self) -> None:
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        piece = bytes(memoryview(data)[:3])
        self.taken += piece
        return len(piece)


@pytest.mark.parametrize("data", [b"", b"a", b"abc", b"abcdefgh" * 100])
def test_a_file_that_takes_less_than_it_is_given_is_given_the_rest(data):
    out = Slow()
    write_all(out, data)
    assert out.taken == data


def test_a_replaced_file_has_the_new_content_and_a_failed_replacement_leaves_the_old_one(tmp_path):
    path = tmp_path / "slot.json"
    replace_file(path, b"first", tmp_folder=tmp_path)
    replace_file(path, b"second, longer", tmp_folder=tmp_path)
    assert path.read_bytes() == b"second, longer"
    with pytest.raises(StorageFailed, match=r"writing slot\.json"):
        replace_file(path, b"third", tmp_folder=tmp_path / "missing")
    assert path.read_bytes() == b"second, longer"
    assert [p.name for p in tmp_path.iterdir()] == ["slot.json"]


def test_what_could_not_be_put_in_place_is_removed(tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "by").mkdir()
    with pytest.raises(OSError, match="taken"):
        swap_in(tmp_path / "taken", b"data", tmp_folder=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def test_what_was_left_unfinished_a_day_ago_goes_and_nothing_else(tmp_path):
    old, new, other = tmp_path / f"{uuid.uuid4()}.part", tmp_path / f"{uuid.uuid4()}.part", tmp_path / "old.json"
    remembered, film = tmp_path / f"{uuid.uuid4()}.{uuid.uuid4()}.part", tmp_path / "a film of somebody.part"
    for path in (old, new, other, remembered, film):
        path.write_bytes(b"x")
    for path in (old, other, remembered, film):
        stamp = path.stat().st_mtime - DAY_S - 60
        os.utime(path, (stamp, stamp))
    remove_left_unfinished(tmp_path)
    assert set(tmp_path.iterdir()) == {new, other, film}
    remove_left_unfinished(tmp_path / "missing")


def test_a_lock_is_given_back_even_if_closing_its_file_fails(tmp_path):
    lock = lock_file(tmp_path / SITE_LOCK, fcntl.LOCK_SH)
    os.close(lock._handle)
    lock.release()
    lock.release()
    lock_file(tmp_path / SITE_LOCK, fcntl.LOCK_EX).release()
