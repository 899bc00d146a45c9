"""Encrypted files: written once, named by a random id, verified whenever they are read.

They lie under ``data/<patient>/<course>/<plan>/<file id>.erte`` (random ids only) and are complete before any row names
them. A file that no row names is an orphan of a save that did not finish: harmless, and swept after a day.
"""

from __future__ import annotations

import hashlib
import os
import stat
import uuid
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

from ert.errors import BadTag, DigestMismatch, StorageFailed
from ert.storage import codec
from ert.storage.atomic import make_folders, translated, write_new_file
from ert.storage.envelope import HEADER_BYTES, Compression, FileContext, Header, Sealed, seal, unseal
from ert.storage.keys import Vault
from ert.storage.places import expect_own_folders, is_file_itself, open_regular

DATA = "data"
TMP = "tmp"
TRASH = "trash"
QUARANTINE = "quarantine"
SUFFIX = ".erte"
ORPHAN_AGE_S = 24 * 3600
TRASH_AGE_S = 30 * 24 * 3600
_READ_ONLY = 0o400
_HASH_BLOCK = 1024 * 1024
Buffers = Sequence[bytes | memoryview]


@frozen(kw_only=True)
class StoredFile:
    """One encrypted file as its row describes it.

    Attributes
    ----------
    file_id : random id, also in the file's header.
    path : below the site's folder, with forward slashes.
    context : whose file it is.
    ordinal : place among files of the same owner and kind.
    size : of the file, bytes.
    length : of the plaintext, bytes.
    crc32_plain, content_hash : CRC-32 and SHA-256 of the plaintext.
    sha256_cipher : SHA-256 of the file; can be checked without keys.
    generation : of the key.
    """

    file_id: str
    path: str
    context: FileContext
    ordinal: int
    size: int
    length: int
    crc32_plain: int
    content_hash: bytes
    sha256_cipher: bytes
    generation: int


class BlobStore:
    """The encrypted files of one site.

    Parameters
    ----------
    root : Path
        The site's folder.
    vault : Vault
        Its keys.
    """

    def __init__(self, root: Path, vault: Vault) -> None:
        self._root = root
        self._vault = vault

    def place(self, stored: StoredFile) -> Path:
        """Where a file lies."""
        return self._root / stored.path

    def put(
        self, plaintext: Buffers, *, folder: Sequence[str], context: FileContext, item_size: int = 1, ordinal: int = 0
    ) -> StoredFile:
        """Write one file: complete, flushed, read back and compared before this returns.

        Parameters
        ----------
        plaintext : sequence of bytes-like
            The content in pieces; gone through again if the first attempt fails below us.
        folder : sequence of str
            Random ids below ``data/``.
        context : FileContext
            Whose file it is.
        item_size : int
            1, 2, 4 or 8: bytes of one array element, for packing.
        ordinal : int
            Place among files of the same owner and kind.

        Raises
        ------
        DiskFull, StorageFailed
            Nothing that a row could name is left.
        """
        try:
            return self._put(plaintext, folder=folder, context=context, item_size=item_size, ordinal=ordinal)
        except StorageFailed:
            # After a failed flush the kernel may have dropped the pages: that file is dead, a new one may be well.
            return self._put(plaintext, folder=folder, context=context, item_size=item_size, ordinal=ordinal)

    def put_anew(self, stored: StoredFile) -> StoredFile:
        """Write the content of a file once more, under the keys in use and another name; the earlier file stays.

        Raises
        ------
        BadTag, DigestMismatch
            The earlier file is not what its row says.
        DiskFull, StorageFailed
            Nothing that a row could name is left.
        """
        plaintext = self.read(stored)
        with translated("reading an encrypted file"), open_regular(self.place(stored)) as source:
            header = Header.from_bytes(source.read(HEADER_BYTES), file_bytes=stored.size)
        folder = stored.path.split("/")[1:-1]
        fresh = self.put(
            [bytes(plaintext)],
            folder=folder,
            context=stored.context,
            item_size=header.item_size,
            ordinal=stored.ordinal,
        )
        if (fresh.crc32_plain, fresh.content_hash) != (stored.crc32_plain, stored.content_hash):
            self.discard([fresh])
            raise DigestMismatch(
                "A file changed while it was written anew; nothing was changed.", detail=stored.file_id
            )
        return fresh

    def read(self, stored: StoredFile) -> bytearray:
        """Return the plaintext of a file, every check passed.

        Raises
        ------
        BadTag
            Damaged, or not this record's.
        DigestMismatch
            Authentic, but not the content its row names.
        StorageFailed
            Missing or unreadable.
        """
        path = self.place(stored)
        with translated("reading an encrypted file"), open_regular(path) as source:
            plaintext = self._unsealed(source, stored)
        if zlib.crc32(plaintext) != stored.crc32_plain or hashlib.sha256(plaintext).digest() != stored.content_hash:
            raise DigestMismatch(
                "A file of this site does not hold what its record says; it was not used.",
                hint="Run 'ert check' and restore the file from a backup.",
                detail=f"file {stored.file_id}: content hash",
            )
        return plaintext

    def check_cipher(self, stored: StoredFile) -> None:
        """Compare size and SHA-256 of the file as it lies on the disk with its row; needs no keys.

        Raises
        ------
        BadTag, StorageFailed
            Changed; missing or unreadable.
        """
        path = self.place(stored)
        with translated("reading an encrypted file"), open_regular(path) as source:
            size = os.fstat(source.fileno()).st_size
            digest = hashlib.file_digest(source, "sha256").digest() if size == stored.size else b""
        if digest != stored.sha256_cipher:
            raise _changed(stored, "size or SHA-256")

    def discard(self, files: Iterable[StoredFile]) -> None:
        """Remove files of a save that was refused before its transaction was committed."""
        with translated("removing unused files"):
            for stored in files:
                _remove(self._root / stored.path)

    def orphans(self, referenced: Iterable[str]) -> tuple[Path, ...]:
        """List files that no row names, and unfinished ones, of any age."""
        known = {self._root / path for path in referenced}
        with translated("listing the site's files"):
            found = [p for p in (self._root / DATA).rglob("*") if p.is_file() and p not in known]
            found += [p for p in (self._root / TMP).iterdir() if p.is_file()]
        return tuple(sorted(found))

    def old_orphans(self, referenced: Iterable[str]) -> tuple[Path, ...]:
        """List orphans older than a day: what no save still under way can name.

        Ages are measured by the clock of the disk or share that stamped the files, never by this workstation's.
        """
        with translated("listing unused files"):
            expect_own_folders(self._root, DATA, TMP)
            now_s = self._storage_time_s()
            return tuple(p for p in self.orphans(referenced) if now_s - p.lstat().st_mtime > ORPHAN_AGE_S)

    def to_quarantine(self, paths: Iterable[Path]) -> None:
        """Move files to ``quarantine/``, under the path they had; nothing there is ever removed."""
        expect_own_folders(self._root, DATA, TMP, QUARANTINE)
        with translated("putting unused files aside"):
            for path in paths:
                target = self._root / QUARANTINE / path.relative_to(self._root)
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                path.rename(target.with_name(f"{target.name}.{uuid.uuid4()}") if target.exists() else target)

    def to_trash(self, paths: Iterable[Path]) -> None:
        """Move files to ``trash/``, where they lie for `TRASH_AGE_S`."""
        expect_own_folders(self._root, DATA, TMP, TRASH)
        with translated("sweeping unused files"):
            for path in paths:
                target = self._root / TRASH / f"{uuid.uuid4()}{path.suffix}"
                path.rename(target)
                os.utime(target, follow_symlinks=False)

    def empty_trash(self) -> tuple[int, int]:
        """Remove what has lain in the trash for `TRASH_AGE_S`; return how many files and bytes."""
        count = freed = 0
        expect_own_folders(self._root, TRASH)
        with translated("emptying the trash"):
            now_s = self._storage_time_s()
            for path in (self._root / TRASH).iterdir():
                found = path.lstat()
                if not stat.S_ISDIR(found.st_mode) and now_s - found.st_mtime > TRASH_AGE_S:
                    _remove(path)
                    count, freed = count + 1, freed + found.st_size
        return count, freed

    def _put(
        self, plaintext: Buffers, *, folder: Sequence[str], context: FileContext, item_size: int, ordinal: int
    ) -> StoredFile:
        file_id = uuid.uuid4()
        header = Header(
            kind=context.kind,
            compression=Compression.SHUFFLED_ZSTD,
            item_size=item_size,
            generation=self._vault.generation,
            file_id=file_id,
            length=sum(memoryview(piece).nbytes for piece in plaintext),
        )
        digest = _ContentDigest()

        def write(out: BinaryIO) -> Sealed:
            packed = codec.pack(digest.watched(plaintext), item_size=item_size)
            kek = self._vault.file_kek(header.generation)
            return seal(out, packed, header=header, context=context, kek=kek)

        relative = "/".join((DATA, *folder, f"{file_id}{SUFFIX}"))
        path = self._root / relative
        with translated("writing an encrypted file"):
            make_folders(path.parent, below=self._root / DATA)
        sealed = write_new_file(path, write, tmp_folder=self._root / TMP, mode=_READ_ONLY)
        stored = StoredFile(
            file_id=str(file_id),
            path=relative,
            context=context,
            ordinal=ordinal,
            size=sealed.size,
            length=header.length,
            crc32_plain=digest.crc32,
            content_hash=digest.sha256.digest(),
            sha256_cipher=sealed.sha256_cipher,
            generation=header.generation,
        )
        self.check_cipher(stored)
        return stored

    def _unsealed(self, source: BinaryIO, stored: StoredFile) -> bytearray:
        size = os.fstat(source.fileno()).st_size
        if size != stored.size:
            raise _changed(stored, "size")
        header, pieces = unseal(source, file_bytes=size, context=stored.context, kek_of=self._vault.file_kek)
        if str(header.file_id) != stored.file_id or header.length != stored.length:
            raise _changed(stored, "id or length")
        if header.compression is Compression.NONE:
            return codec.collect(pieces, length=header.length)
        return codec.unpack(pieces, length=header.length, item_size=header.item_size)

    def _storage_time_s(self) -> float:
        probe = self._root / TMP / f"{uuid.uuid4()}.clock"
        probe.touch(mode=0o600)
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink()


class _ContentDigest:
    """CRC-32 and SHA-256 of what passes through."""

    def __init__(self) -> None:
        self.crc32 = 0
        self.sha256 = hashlib.sha256()

    def watched(self, pieces: Buffers) -> Iterator[memoryview]:
        for piece in pieces:
            view = memoryview(piece).cast("B")
            for start in range(0, len(view), _HASH_BLOCK):
                block = view[start : start + _HASH_BLOCK]
                self.crc32 = zlib.crc32(block, self.crc32)
                self.sha256.update(block)
                yield block


def _remove(path: Path) -> None:
    if os.path.lexists(path):
        if is_file_itself(path):  # the mode of what a link leads to is not ours
            path.chmod(0o600)
        path.unlink()


def _changed(stored: StoredFile, what: str) -> BadTag:
    return BadTag(
        "A file of this site was changed, cut or replaced; it was not used.",
        hint="Run 'ert check' and restore the file from a backup.",
        detail=f"file {stored.file_id}: {what}",
    )
