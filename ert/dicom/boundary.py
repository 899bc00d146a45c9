"""The one door through which bytes of a DICOM file come in: bounded in size and time, every fault translated.

pydicom raises some ten classes of exception on malformed files and warns on many more. Everything that touches a
pydicom dataset runs inside `dicom_boundary`, which turns any of them into `ImportRejected`.
"""

from __future__ import annotations

import contextlib
import logging
import stat
import time
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag

from ert.errors import ErtError, ImportRejected

MAX_FILE_BYTES = 512 * 1024 * 1024
MAX_INFLATED_BYTES = 128 * 1024 * 1024
_SECONDS_PER_FILE = 4.0
_SECONDS_PER_MB = 0.1
_PREAMBLE_BYTES = 128
_MODALITY = 0x00080060
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")  # of a dataset without preamble, little endian
_CHUNK_BYTES = 8192  # pydicom looks for delimiters in pieces of this size
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_PROGRAM_STARTS = (b"MZ", b"\x7fELF", b"#!")

# pydicom quotes element values, hence patient data, in its own log.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)


class _BoundedFile:
    """A file that refuses to be read for too long and notices that it ends too early."""

    def __init__(self, raw: BinaryIO, size_bytes: int) -> None:
        self._raw = raw
        self._size_bytes = size_bytes
        self._until_s = time.monotonic() + _SECONDS_PER_FILE + _SECONDS_PER_MB * size_bytes / 1e6
        self.is_cut_short = False

    def read(self, size: int = -1) -> bytes:
        if time.monotonic() > self._until_s:
            raise ImportRejected("The file takes too long to read; it is malformed.")
        at = self._raw.tell()
        left_bytes = max(0, self._size_bytes - at)
        if 0 < left_bytes < size and size != _CHUNK_BYTES and at > 0:  # at 0, pydicom looks for a preamble
            self.is_cut_short = True
        return self._raw.read(left_bytes if size < 0 else min(size, left_bytes))

    def seek(self, offset: int, whence: int = 0) -> int:
        position = self._raw.seek(offset, whence)
        if position > self._size_bytes:
            self.is_cut_short = True
        return position

    def tell(self) -> int:
        return self._raw.tell()


@contextlib.contextmanager
def dicom_boundary(subject: str) -> Iterator[None]:
    """Translate whatever pydicom or a decoder raises into `ImportRejected`.

    Parameters
    ----------
    subject : str
        What is being read, for the sentence; a file name, not a path.

    Raises
    ------
    ImportRejected
        For every fault that is not already an `ErtError`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ErtError:
        raise
    except Exception as exc:  # noqa: BLE001 - the boundary: decoders and pydicom raise anything
        raise ImportRejected(
            f"'{subject}' cannot be read: its DICOM content is damaged or not understood ({type(exc).__name__}).",
            hint="Export the file again from where it came from.",
            detail=type(exc).__name__,
        ) from exc


def read_dataset(path: Path, *, keywords: tuple[str, ...] | None = None, with_pixels: bool = True) -> FileDataset:
    """Read one DICOM file.

    Parameters
    ----------
    path : Path
        A regular file; any name.
    keywords : tuple of str, optional
        Read these elements only.
    with_pixels : bool
        False stops before the pixel data.

    Raises
    ------
    ImportRejected
        If the file is no DICOM, too large, cut short, hides a program, or cannot be parsed in time.
    """
    with dicom_boundary(path.name):
        size_bytes = _regular_size_bytes(path)
        with path.open("rb") as raw:
            has_meta = _check_start(raw, path.name)
            bounded = _BoundedFile(raw, size_bytes)
            dataset = dcmread(
                cast(BinaryIO, bounded),
                force=not has_meta,
                stop_before_pixels=not with_pixels,
                specific_tags=list(keywords) if keywords else None,
            )
        if bounded.is_cut_short:
            raise ImportRejected(
                f"'{path.name}' ends in the middle of its data: it was cut short.", hint="Copy or export it again."
            )
        if not dataset:
            raise ImportRejected(f"'{path.name}' is no DICOM file, or holds nothing that is known.")
        return dataset


def peek_modality(path: Path) -> str:
    """The Modality of a file that is damaged further on; empty if that cannot be read either."""

    def stop_when(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        return int(tag) > _MODALITY

    try:
        with dicom_boundary(path.name):
            size_bytes = _regular_size_bytes(path)
            with path.open("rb") as raw:
                if _DEFLATED in raw.read(_PREAMBLE_BYTES + 1024):
                    return ""
                raw.seek(0)
                bounded = cast(BinaryIO, _BoundedFile(raw, size_bytes))
                return str(read_partial(bounded, stop_when, force=True).get("Modality", ""))
    except ImportRejected:
        return ""


def _regular_size_bytes(path: Path) -> int:
    """Size of a regular file within the limit; all else (a pipe would never end) is refused unopened."""
    details = path.stat()
    if not stat.S_ISREG(details.st_mode):
        raise ImportRejected(f"'{path.name}' is not a regular file.")
    if details.st_size > MAX_FILE_BYTES:
        raise ImportRejected(f"'{path.name}' is larger than {MAX_FILE_BYTES // 1024**2} MB.")
    return details.st_size


def _check_start(raw: BinaryIO, name: str) -> bool:
    """True if the file has a preamble and file meta group; refuses what is no DICOM."""
    head = raw.read(_PREAMBLE_BYTES + 1024)
    raw.seek(0)
    if head[_PREAMBLE_BYTES : _PREAMBLE_BYTES + 4] == b"DICM":
        if head.startswith(_PROGRAM_STARTS):
            raise ImportRejected(f"'{name}' carries a computer program in front of its DICOM content.")
        if _DEFLATED in head:
            _check_inflation(raw, head, name)
            raw.seek(0)
        return True
    if head[:2] not in _FIRST_GROUPS:
        raise ImportRejected(f"'{name}' is no DICOM file.")
    return False


def _check_inflation(raw: BinaryIO, head: bytes, name: str) -> None:
    """Refuse a deflated dataset that would grow without bound."""
    group_start = _PREAMBLE_BYTES + 4
    if head[group_start : group_start + 6] != b"\x02\x00\x00\x00UL":
        raise ImportRejected(f"'{name}' is deflated and has no group length.")
    raw.seek(group_start + 12 + int.from_bytes(head[group_start + 8 : group_start + 12], "little"))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    total = 0
    while piece := raw.read(1 << 16):
        while piece:
            total += len(inflater.decompress(piece, 1 << 20))
            if total > MAX_INFLATED_BYTES:
                raise ImportRejected(f"'{name}' inflates to more than {MAX_INFLATED_BYTES // 1024**2} MB.")
            piece = inflater.unconsumed_tail
