"""The encrypted file format ERTE, version 1.

A 64-byte header and a STREAM of AES-256-GCM chunks (Hoang, Reyhanitabar, Rogaway, Vizár, CRYPTO 2015), little-endian::

    magic "ERTE" · format u16 · suite u16 · chunk u32 · kind u16 · compression u8 · item size u8 · key generation u32
    · file id 16 B · plaintext length u64 · reserved 20 zero bytes
    then for each chunk: ciphertext ‖ 16-byte tag; every chunk but the last is full

- File key: HKDF-SHA256 (RFC 5869) of the file key-encryption key, salt = file id, info = ``ert-file/1|<store id>``.
- Nonce: 4-byte prefix whose last bit marks the final chunk, then the chunk's number as 8 bytes big-endian. Every file
  has its own key, so counters never meet.
- Associated data of every chunk: SHA-256 of header and context (store, table, record, revision, kind). A file that was
  cut, extended, reordered, or belongs to another record, revision or site does not open.
"""

from __future__ import annotations

import enum
import hashlib
import struct
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Self

from attrs import frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ert.errors import BadTag, SchemaTooNew
from ert.storage.atomic import write_all

MAGIC = b"ERTE"
FORMAT = 1
SUITE_AES_256_GCM_STREAM = 1
HEADER_BYTES = 64
TAG_BYTES = 16
DEFAULT_CHUNK_BYTES = 256 * 1024
MINIMUM_CHUNK_BYTES = 4 * 1024
MAXIMUM_CHUNK_BYTES = 16 * 1024 * 1024
MAXIMUM_LENGTH = 16 * 1024**3
# Packing may grow incompressible data a little (codec.py: 4 bytes and a zstd frame for each megabyte).
_PACKING_SLACK = 1.01
_PACKING_SLACK_BYTES = 4096
_HEADER = struct.Struct("<4sHHIHBBI16sQ20s")
_RESERVED = bytes(20)
_LAST_PREFIX = b"\0\0\0\1"
_MORE_PREFIX = b"\0\0\0\0"


class FileKind(enum.IntEnum):
    """What an encrypted file holds; part of its header and of its context."""

    CT_VOXELS = 1
    CONTOURS = 2
    DOSE = 3
    MACHINE_PACKAGE = 4
    DICOM_ORIGINALS = 5
    DOCUMENT = 6
    CACHED_DOSE = 7
    DRAFT = 8
    PRESENCE = 9
    DOSE_ERRORS = 10
    SECOND_CHECK = 11
    SERVER_PASSWORD = 12
    RUN_CHECKPOINT = 13
    PINNED_DOSE = 14
    PINNED_ERRORS = 15


class Compression(enum.IntEnum):
    """How the plaintext was packed before encryption (codec.py)."""

    NONE = 0
    SHUFFLED_ZSTD = 1


@frozen(kw_only=True)
class FileContext:
    """Whose file it is: bound into every chunk."""

    store_id: str
    table: str
    record_id: str
    revision: int
    kind: FileKind

    def to_bytes(self) -> bytes:
        """Return an unambiguous encoding (every part behind its length)."""
        parts = (self.store_id, self.table, self.record_id, str(self.revision), str(int(self.kind)))
        return b"".join(struct.pack("<I", len(p.encode())) + p.encode() for p in parts)


@frozen(kw_only=True)
class Header:
    """The 64 bytes at the start of every file."""

    kind: FileKind
    compression: Compression = Compression.NONE
    item_size: int = 1
    generation: int
    file_id: uuid.UUID
    length: int
    chunk_bytes: int = DEFAULT_CHUNK_BYTES

    def to_bytes(self) -> bytes:
        """Return the 64 bytes."""
        return _HEADER.pack(
            MAGIC, FORMAT, SUITE_AES_256_GCM_STREAM, self.chunk_bytes, self.kind, self.compression, self.item_size,
            self.generation, self.file_id.bytes, self.length, _RESERVED,
        )  # fmt: skip

    @classmethod
    def from_bytes(cls, data: bytes, *, file_bytes: int) -> Self:
        """Read a header and refuse, before anything is allocated, what no honest file has.

        Parameters
        ----------
        data : bytes
            The first 64 bytes.
        file_bytes : int
            Size of the whole file.

        Raises
        ------
        BadTag
            Not an ERTE file, or impossible figures.
        SchemaTooNew
            A later format or suite.
        """
        if len(data) != HEADER_BYTES or data[:4] != MAGIC:
            raise _damaged("no ERTE header")
        (_, version, suite, chunk, kind, compression, item_size, generation, file_id, length, reserved) = (
            _HEADER.unpack(data)
        )
        if version > FORMAT or suite > SUITE_AES_256_GCM_STREAM:
            raise SchemaTooNew(
                "A file of this site was written by a newer version of the program.",
                hint="Update the program.",
                detail=f"ERTE format {version} suite {suite}",
            )
        if version != FORMAT or suite != SUITE_AES_256_GCM_STREAM or reserved != _RESERVED:
            raise _damaged("impossible format, suite or reserved bytes")
        try:
            header = cls(
                kind=FileKind(kind),
                compression=Compression(compression),
                item_size=item_size,
                generation=generation,
                file_id=uuid.UUID(bytes=file_id),
                length=length,
                chunk_bytes=chunk,
            )
        except ValueError as exc:
            raise _damaged(str(exc)) from exc
        header._check_sizes(file_bytes)
        return header

    def _check_sizes(self, file_bytes: int) -> None:
        if not MINIMUM_CHUNK_BYTES <= self.chunk_bytes <= MAXIMUM_CHUNK_BYTES or self.length > MAXIMUM_LENGTH:
            raise _damaged("chunk or length outside its limits")
        if self.item_size not in {1, 2, 4, 8}:
            raise _damaged("impossible item size")
        sealed = file_bytes - HEADER_BYTES
        chunks = max(1, -(-sealed // (self.chunk_bytes + TAG_BYTES)))
        packed = sealed - chunks * TAG_BYTES
        if packed < 0:
            raise _damaged("file too short")
        if self.compression is Compression.NONE:
            fits = packed == self.length
        else:
            fits = packed <= self.length * _PACKING_SLACK + _PACKING_SLACK_BYTES
        if not fits:
            raise _damaged("declared length does not fit the file's size")


@frozen(kw_only=True)
class Sealed:
    """What was written: size in bytes and SHA-256 of the file as it lies on the disk."""

    size: int
    sha256_cipher: bytes


def seal(
    out: BinaryIO, packed: Iterable[bytes | memoryview], *, header: Header, context: FileContext, kek: bytes
) -> Sealed:
    """Write one file, chunk by chunk.

    Parameters
    ----------
    out : binary file
        Open for writing.
    packed : iterable of bytes-like
        The packed plaintext in pieces of any size.
    header : Header
        Its `length` is the plaintext's length before packing.
    context : FileContext
        Whose file it is.
    kek : bytes
        32-byte file key-encryption key of `header.generation`.

    Raises
    ------
    OSError
        From the file; translated by the caller.
    """
    head = header.to_bytes()
    cipher = AESGCM(_file_key(kek, header.file_id, context.store_id))
    bound = _associated_data(head, context)
    digest = hashlib.sha256(head)
    write_all(out, head)
    size = len(head)
    sealed = bytearray(header.chunk_bytes + TAG_BYTES)
    for number, (piece, is_last) in enumerate(_in_chunks(packed, header.chunk_bytes)):
        written = len(piece) + TAG_BYTES
        view = memoryview(sealed)[:written]
        cipher.encrypt_into(_nonce(number, is_last=is_last), piece, bound, view)
        digest.update(view)
        write_all(out, view)
        size += written
    return Sealed(size=size, sha256_cipher=digest.digest())


def unseal(
    source: BinaryIO, *, file_bytes: int, context: FileContext, kek_of: Callable[[int], bytes]
) -> tuple[Header, Iterator[bytes]]:
    """Open one file: its header, and an iterator over authenticated pieces of the packed plaintext.

    The header is read at once, but vouched for only once the first piece has been taken. The iterator raises `BadTag`
    at the first chunk that does not authenticate, and at the end if the last chunk is missing or something follows it.

    Raises
    ------
    BadTag
        Damaged, cut, extended, swapped, or of another record, revision or site.
    SchemaTooNew
        Written by a newer version.
    """
    head = source.read(HEADER_BYTES)
    header = Header.from_bytes(head, file_bytes=file_bytes)
    if header.kind is not context.kind:
        raise _damaged("kind differs from the record")
    cipher = AESGCM(_file_key(kek_of(header.generation), header.file_id, context.store_id))
    return header, _opened(source, header, cipher, _associated_data(head, context), file_bytes - HEADER_BYTES)


def _opened(source: BinaryIO, header: Header, cipher: AESGCM, bound: bytes, remaining: int) -> Iterator[bytes]:
    number = 0
    step = header.chunk_bytes + TAG_BYTES
    while True:
        is_last = remaining <= step
        sealed = source.read(min(step, remaining))
        if len(sealed) != min(step, remaining):
            raise _damaged("file shorter than its size")
        try:
            piece = cipher.decrypt(_nonce(number, is_last=is_last), sealed, bound)
        except InvalidTag as exc:
            raise _damaged(f"chunk {number} does not authenticate") from exc
        yield piece
        if is_last:
            break
        remaining -= step
        number += 1
    if source.read(1):
        raise _damaged("data behind the last chunk")


def _in_chunks(packed: Iterable[bytes | memoryview], chunk_bytes: int) -> Iterator[tuple[memoryview, bool]]:
    """Regroup pieces into full chunks; the last one (which may be empty) is marked."""
    buffer = memoryview(bytearray(chunk_bytes))
    filled = 0
    for piece in packed:
        rest = memoryview(piece).cast("B")
        while len(rest):
            if filled == chunk_bytes:
                yield buffer, False
                filled = 0
            taken = min(chunk_bytes - filled, len(rest))
            buffer[filled : filled + taken] = rest[:taken]
            filled += taken
            rest = rest[taken:]
    yield buffer[:filled], True


def _file_key(kek: bytes, file_id: uuid.UUID, store_id: str) -> bytes:
    info = f"ert-file/1|{store_id}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=file_id.bytes, info=info).derive(kek)


def _associated_data(head: bytes, context: FileContext) -> bytes:
    return hashlib.sha256(head + context.to_bytes()).digest()


def _nonce(number: int, *, is_last: bool) -> bytes:
    return (_LAST_PREFIX if is_last else _MORE_PREFIX) + number.to_bytes(8, "big")


def _damaged(detail: str) -> BadTag:
    return BadTag(
        "An encrypted file of this site is damaged or does not belong to this record; it was not used.",
        hint="Run 'ert check' and restore the file from a backup.",
        detail=detail,
    )
