"""Original DICOM files, byte for byte, gathered into few encrypted files of moderate size.

Plaintext of each: u32 length of a JSON list ``[[SOP Instance UID, bytes], …]`` (little-endian), the list, the files one
after the other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from ert import strictjson
from ert.domain.record import DicomFile
from ert.errors import BadTag

BATCH_BYTES = 32 * 1024 * 1024
_LENGTH = struct.Struct("<I")


def batches(files: Iterable[DicomFile]) -> Iterator[list[DicomFile]]:
    """Yield the files in order, in groups of about `BATCH_BYTES`."""
    batch: list[DicomFile] = []
    size = 0
    for file in files:
        batch.append(file)
        size += len(file.content)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def to_buffers(batch: list[DicomFile]) -> list[bytes | memoryview]:
    """Return the plaintext of one batch in pieces."""
    table = strictjson.dump([[file.sop_instance_uid, len(file.content)] for file in batch])
    return [_LENGTH.pack(len(table)), table, *(file.content for file in batch)]


def from_bytes(data: bytes | bytearray) -> Iterator[DicomFile]:
    """Yield the files of one batch.

    Raises
    ------
    BadTag
        If list and bytes do not fit.
    """
    view = memoryview(data)
    try:
        (length,) = _LENGTH.unpack_from(view)
        table = strictjson.load(bytes(view[_LENGTH.size : _LENGTH.size + length]))
        sizes = [int(size) for _, size in table]
    except (struct.error, ValueError, TypeError) as exc:
        raise _damaged() from exc
    start = _LENGTH.size + length
    if min(sizes, default=0) < 0 or start + sum(sizes) != len(view):
        raise _damaged()
    for (uid, _), size in zip(table, sizes, strict=True):
        yield DicomFile(sop_instance_uid=str(uid), content=bytes(view[start : start + size]))
        start += size


def _damaged() -> BadTag:
    return BadTag(
        "The original DICOM files of an image are damaged; they were not used.",
        hint="Run 'ert check' and restore the file from a backup.",
        detail="originals: table does not fit",
    )
