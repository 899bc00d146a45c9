"""Errors of the database driver in ERT's words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa
import sqlcipher3

from ert.errors import BadTag, DatabaseBusy, DiskFull, ErtError, StorageFailed

BUSY, LOCKED, READ_ONLY, IO_ERROR, CORRUPT, FULL, CANNOT_OPEN, NOT_A_DATABASE = 5, 6, 8, 10, 11, 13, 14, 26


@contextlib.contextmanager
def translated_database() -> Iterator[None]:
    """Translate driver errors; broken constraints stay `IntegrityError`, whoever wrote the row knows what they mean."""
    try:
        yield
    except sa.exc.IntegrityError:
        raise
    except sa.exc.DBAPIError as exc:
        raise database_error(exc.orig) from exc
    except sqlcipher3.IntegrityError:
        raise
    except sqlcipher3.Error as exc:
        raise database_error(exc) from exc


def database_error(exc: BaseException | None) -> ErtError | BaseException:
    """Return the ERT error for a driver error; an error of ours (wrong SQL) is returned as it is."""
    code = error_code(exc)
    detail = f"sqlite {getattr(exc, 'sqlite_errorname', code)}"
    found: ErtError | BaseException
    if code in {BUSY, LOCKED}:
        found = DatabaseBusy(
            "The site's database is busy: somebody else has been writing for too long. Nothing was saved.",
            hint="Try again in a minute.",
            detail=detail,
        )
    elif code == FULL:
        found = DiskFull(
            "The disk of this site is full: nothing was saved.",
            hint="Free some space, then save again.",
            detail=detail,
        )
    elif code in {IO_ERROR, READ_ONLY, CANNOT_OPEN}:
        found = StorageFailed(
            "The site's database cannot be read or written: nothing was saved.",
            hint="Check the disk or the network share, then try again.",
            detail=detail,
        )
    elif code in {CORRUPT, NOT_A_DATABASE}:
        found = BadTag(
            "The site's database is damaged; nothing was changed.",
            hint="Stop working with this site, run 'ert check' and call physics.",
            detail=detail,
        )
    else:
        found = exc if exc is not None else RuntimeError("database error without a cause")
    return found


def backup_error(exc: sqlcipher3.Error) -> ErtError:
    """Return the ERT error for a failed online backup, which the driver reports by its text alone."""
    text = str(exc).lower()
    detail = f"online backup: {text}"
    if "full" in text:
        return DiskFull(
            "The disk is full: the database was not copied.", hint="Free some space, then try again.", detail=detail
        )
    if "malformed" in text or "not a database" in text:
        return BadTag(
            "The site's database is damaged; it was not copied.",
            hint="Stop working with this site, run 'ert check' and call physics.",
            detail=detail,
        )
    return StorageFailed(
        "The database could not be copied: reading it or writing the copy failed.",
        hint="Check both disks and the space left on them, then try again.",
        detail=detail,
    )


def is_damage(exc: BaseException) -> bool:
    """Whether a connection that raised this should not be used again."""
    cause = exc.orig if isinstance(exc, sa.exc.DBAPIError) else exc
    return error_code(cause) in {IO_ERROR, CORRUPT, NOT_A_DATABASE, FULL}


def error_code(exc: BaseException | None) -> int:
    """Return SQLite's primary result code of a driver error, 0 if it has none."""
    return int(getattr(exc, "sqlite_errorcode", 0) or 0) & 0xFF
