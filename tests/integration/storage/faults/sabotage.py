"""Guards taken away on purpose, so that what looks for damage is shown to find it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from unittest import mock

from ert.storage import atomic, records

KINDS = ("short-writes-believed", "errors-not-translated", "rows-first")


@contextlib.contextmanager
def of(kind: str) -> Iterator[None]:
    """Take one guard away; none for ""."""
    with contextlib.ExitStack() as stack:
        if kind == "short-writes-believed":
            stack.enter_context(mock.patch.object(atomic, "write_all", lambda out, data: out.write(data)))
        elif kind == "errors-not-translated":
            stack.enter_context(mock.patch.object(atomic, "storage_error", lambda exc, _doing: exc))
        elif kind == "rows-first":
            _rows_first(stack)
        elif kind:
            raise ValueError(f"unknown sabotage {kind!r}")
        yield


def _rows_first(stack: contextlib.ExitStack) -> None:
    """Name new files only after the transaction that names them in rows."""
    waiting: list = []

    def later(path, write, *, tmp_folder, mode=0o600):
        tmp = tmp_folder / f"{path.name}.part"
        waiting.append((tmp, path))
        return atomic._write_synced(tmp, write)

    transaction = records.Saving.transaction

    @contextlib.contextmanager
    def and_then(save):
        with transaction(save) as connection:
            yield connection
        while waiting:
            tmp, path = waiting.pop()
            tmp.rename(path)

    from ert.storage import blobs

    stack.enter_context(mock.patch.object(blobs, "write_new_file", later))
    stack.enter_context(mock.patch.object(blobs.BlobStore, "check_cipher", return_value=None))
    stack.enter_context(mock.patch.object(records.Saving, "transaction", and_then))
