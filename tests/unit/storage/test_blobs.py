"""Encrypted files on the disk: complete or absent, verified when read, orphans swept by the disk's own clock."""

from __future__ import annotations

import errno
import os
import stat
import uuid

import attrs
import numpy as np
import pytest

from ert.domain.record import DicomFile
from ert.errors import BadTag, DigestMismatch, DiskFull, StorageFailed
from ert.storage import atomic, blobs, originals
from ert.storage.blobs import BlobStore
from ert.storage.envelope import FileContext, FileKind
from ert.storage.keys import Vault

CONTEXT = FileContext(store_id="site", table="dose", record_id="r", revision=1, kind=FileKind.DOSE)
FOLDER = ("patient", "course")


@pytest.fixture
def root(tmp_path):
    for name in ("data", "tmp", "trash"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def store(root):
    return BlobStore(root, Vault.create("site"))


def put(store, data=b"dose " * 1000, **changes):
    return store.put([data], **{"folder": FOLDER, "context": CONTEXT} | changes)


def leftovers(root):
    return [p for p in root.rglob("*") if p.is_file()]


def test_a_file_comes_back_and_lies_where_its_record_is(store, root):
    data = np.random.default_rng(1).bytes(3_000_000)
    stored = store.put([data[:17], memoryview(data)[17:]], folder=FOLDER, context=CONTEXT, item_size=4)
    assert store.read(stored) == data
    assert stored.path == f"data/patient/course/{stored.file_id}.erte"
    path = root / stored.path
    assert leftovers(root) == [path]
    assert path.stat().st_size == stored.size
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    store.check_cipher(stored)


def test_what_is_recorded_can_be_recomputed(store, root):
    import hashlib
    import zlib

    stored = put(store, b"123456789")
    assert stored.crc32_plain == zlib.crc32(b"123456789") == 0xCBF43926
    assert stored.content_hash == hashlib.sha256(b"123456789").digest()
    assert stored.sha256_cipher == hashlib.sha256((root / stored.path).read_bytes()).digest()


def test_an_empty_content_survives(store):
    assert store.read(put(store, b"")) == b""


@pytest.mark.parametrize("position", [0, 20, 63, 64, 100, -1])
def test_a_damaged_file_is_refused(store, root, position):
    stored = put(store, np.random.default_rng(1).bytes(1000))
    data = bytearray((root / stored.path).read_bytes())
    data[position] ^= 4
    (root / stored.path).chmod(0o600)
    (root / stored.path).write_bytes(data)
    with pytest.raises(BadTag):
        store.check_cipher(stored)
    with pytest.raises(BadTag):
        store.read(stored)


def test_cut_longer_missing_and_swapped_files_are_refused(store, root):
    first, second = put(store, b"a" * 500), put(store, b"b" * 500)
    path, data = root / first.path, (root / first.path).read_bytes()
    path.chmod(0o600)
    for broken in (data[:-1], data + b"x", b"", (root / second.path).read_bytes()):
        path.write_bytes(broken)
        with pytest.raises(BadTag):
            store.read(first)
    path.unlink()
    with pytest.raises(StorageFailed):
        store.read(first)


def test_an_authentic_file_with_other_content_than_its_row_is_refused(store):
    stored = put(store)
    with pytest.raises(DigestMismatch):
        store.read(attrs.evolve(stored, crc32_plain=stored.crc32_plain ^ 1))
    with pytest.raises(DigestMismatch):
        store.read(attrs.evolve(stored, content_hash=bytes(32)))
    for change in ({"size": 1}, {"length": 5}, {"file_id": str(uuid.uuid4())}):
        with pytest.raises(BadTag):
            store.read(attrs.evolve(stored, **change))
    for change in ({"record_id": "q"}, {"revision": 2}, {"table": "plan"}, {"kind": FileKind.DOCUMENT}):
        with pytest.raises(BadTag):
            store.read(attrs.evolve(stored, context=attrs.evolve(CONTEXT, **change)))


class Failing:
    """Makes the n-th call of an `os` function fail."""

    def __init__(self, real, number, error):
        self.real, self.number, self.error, self.calls = real, number, error, 0

    def __call__(self, *arguments, **named):
        self.calls += 1
        if self.calls == self.number:
            raise OSError(self.error, os.strerror(self.error))
        return self.real(*arguments, **named)


@pytest.mark.parametrize("call", ["open", "fsync", "link"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_and_leaves_nothing(store, root, monkeypatch, call, code):
    (root / "data" / "patient" / "course").mkdir(parents=True)
    monkeypatch.setattr(atomic.os, call, Failing(getattr(os, call), 1, code))
    with pytest.raises(DiskFull):
        put(store)
    assert leftovers(root) == []


@pytest.mark.parametrize("call", ["open", "fsync", "link"])
def test_after_one_failure_a_new_file_is_written(store, root, monkeypatch, call):
    (root / "data" / "patient" / "course").mkdir(parents=True)
    monkeypatch.setattr(atomic.os, call, Failing(getattr(os, call), 1, errno.EIO))
    stored = put(store)
    assert store.read(stored) == b"dose " * 1000
    assert leftovers(root) == [root / stored.path]


def test_after_two_failures_the_save_stops(store, root, monkeypatch):
    def never(_):
        raise OSError(errno.EIO, "Input/output error")

    (root / "data" / "patient" / "course").mkdir(parents=True)
    monkeypatch.setattr(atomic.os, "fsync", never)
    with pytest.raises(StorageFailed):
        put(store)
    assert leftovers(root) == []


def test_short_writes_are_completed(root):
    class Slow:
        def __init__(self, raw):
            self.raw = raw

        def write(self, data):
            return self.raw.write(bytes(data)[:7])

    import io

    from ert.storage import envelope
    from tests.unit.storage.test_envelope import CONTEXT as OTHER
    from tests.unit.storage.test_envelope import KEK, header_of, sealed

    out = io.BytesIO()
    envelope.seal(Slow(out), [b"x" * 100], header=header_of(100), context=OTHER, kek=KEK)
    assert out.getvalue() == sealed(b"x" * 100)


def test_nothing_is_overwritten(root):
    (root / "data" / "f").write_bytes(b"old")
    with pytest.raises(StorageFailed):
        atomic.write_new_file(root / "data" / "f", lambda out: out.write(b"new"), tmp_folder=root / "tmp")
    assert (root / "data" / "f").read_bytes() == b"old"
    assert list((root / "tmp").iterdir()) == []


def test_a_share_without_hard_links_works_and_does_not_overwrite_either(root, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.EOPNOTSUPP, "no links")

    monkeypatch.setattr(atomic.os, "link", unsupported)
    atomic.write_new_file(root / "data" / "f", lambda out: out.write(b"new"), tmp_folder=root / "tmp")
    with pytest.raises(StorageFailed):
        atomic.write_new_file(root / "data" / "f", lambda out: out.write(b"other"), tmp_folder=root / "tmp")
    assert (root / "data" / "f").read_bytes() == b"new"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_said(store, root):
    (root / "tmp").chmod(0o500)
    with pytest.raises(StorageFailed, match="does not allow"):
        put(store)


def test_orphans_are_listed_and_swept_after_a_day_by_the_disks_clock(store, root):
    kept, fresh, old = put(store), put(store), put(store)
    part = root / "tmp" / "x.part"
    part.write_bytes(b"x")
    day = blobs.ORPHAN_AGE_S
    for path, age in (
        (root / old.path, day + 60),
        (root / fresh.path, day - 60),
        (part, day + 60),
        (root / kept.path, 9 * day),
    ):
        stamp = part.stat().st_ctime - age
        os.utime(path, (stamp, stamp))
    assert set(store.orphans([kept.path])) == {root / fresh.path, root / old.path, part}
    assert set(store.old_orphans([kept.path])) == {root / old.path, part}
    store.to_trash([root / old.path, part])
    assert store.empty_trash() == (0, 0)
    assert set(store.orphans([kept.path])) == {root / fresh.path}
    assert len(list((root / "trash").iterdir())) == 2
    assert store.read(kept) == b"dose " * 1000
    for path in (root / "trash").iterdir():
        stamp = path.stat().st_mtime - blobs.TRASH_AGE_S - 60
        os.utime(path, (stamp, stamp))
    assert store.empty_trash() == (2, old.size + 1)
    assert list((root / "trash").iterdir()) == []


def test_original_files_are_gathered_and_come_back_in_order():
    files = [DicomFile(sop_instance_uid=f"1.{n}", content=bytes([n % 256]) * n) for n in range(50)]
    groups = list(originals.batches(files))
    assert len(groups) == 1
    data = b"".join(bytes(piece) for piece in originals.to_buffers(groups[0]))
    assert list(originals.from_bytes(data)) == files
    for broken in (data[:-1], data + b"x", b"", b"\xff\xff\xff\xff", data[:4] + b"[" * (len(data) - 4)):
        with pytest.raises(BadTag):
            list(originals.from_bytes(broken))


def test_large_originals_are_split(monkeypatch):
    monkeypatch.setattr(originals, "BATCH_BYTES", 100)
    files = [DicomFile(sop_instance_uid=str(n), content=bytes(40)) for n in range(7)]
    assert [len(group) for group in originals.batches(files)] == [3, 3, 1]
    assert list(originals.batches([])) == []
