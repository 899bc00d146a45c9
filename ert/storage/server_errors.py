"""Errors of the PostgreSQL driver in ERT's words.

Once connected, the server says what is wrong by a code (SQLSTATE, appendix A of its manual). While connecting, the
library says it by its text alone, part of which comes in the server's language; what is not recognised gets the general
sentence.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
import sqlalchemy as sa

from ert.errors import BadTag, DatabaseBusy, DiskFull, ErtError, StorageFailed

_BUSY = frozenset({"40001", "40P01", "55P03", "57014"})
_FULL = frozenset({"53100", "53200"})
_DAMAGED = frozenset({"XX001", "XX002"})
_OURS = ("42", "22", "26", "34", "0A")  # wrong SQL: a fault of the program, not of the world
_NOT_ALLOWED = "42501"
_REASONS = (
    ("password authentication failed", "does not accept this role and password",
     "Check both. Of a site that exists, an administrator gives the present ones with 'ert site reconnect'."),
    ("does not exist", "has no such database or role", "Check the address with who runs the server."),
    ("no pg_hba.conf entry", "does not let this workstation in", "Have it allowed in the server's pg_hba.conf."),
    ("authentication method requirement", "does not ask for the password the way it must (SCRAM)",
     "Have the server use scram-sha-256 in its pg_hba.conf."),
    ("does not support SSL", "offers no encryption", "Have TLS set up on the server; without it nothing is sent."),
    ("certificate", "could not prove who it is", "Check its certificate, and the authority given with --server-ca."),
    ("too many clients", "has no connection left", "Try again later, and have the server allow more connections."),
    ("starting up", "is just starting or stopping", "Try again in a minute."),
    ("shutting down", "is just starting or stopping", "Try again in a minute."),
)  # fmt: skip


@contextlib.contextmanager
def translated_server() -> Iterator[None]:
    """Translate driver errors; broken constraints stay `IntegrityError`, as with the embedded database."""
    try:
        yield
    except sa.exc.IntegrityError:
        raise
    except sa.exc.DBAPIError as exc:
        raise server_error(exc.orig) from exc
    except psycopg.IntegrityError:
        raise
    except psycopg.Error as exc:
        raise server_error(exc) from exc


def server_error(exc: BaseException | None) -> ErtError | BaseException:
    """Return the ERT error for an error of a connected server; an error of ours (wrong SQL) is returned as it is."""
    code = getattr(exc, "sqlstate", None) or ""
    detail = f"sqlstate {code or type(exc).__name__}"
    if code in _BUSY:
        return DatabaseBusy(
            "The site's database is busy: somebody else has been writing for too long. Nothing was saved.",
            hint="Try again in a minute.",
            detail=detail,
        )
    if code in _FULL:
        return DiskFull(
            "The disk or memory of the database server is full: nothing was saved.",
            hint="Have some space freed on the server, then save again.",
            detail=detail,
        )
    if code in _DAMAGED:
        return BadTag(
            "The site's database on the server is damaged; nothing was changed.",
            hint="Stop working with this site, run 'ert check' and call physics.",
            detail=detail,
        )
    if exc is None or not isinstance(exc, psycopg.Error) or (code.startswith(_OURS) and code != _NOT_ALLOWED):
        return exc if exc is not None else RuntimeError("database error without a cause")
    if code == _NOT_ALLOWED:
        return StorageFailed(
            "The database server does not let the role of this site do what is needed: nothing was saved.",
            hint="Have the role own the schema of the site.",
            detail=detail,
        )
    return StorageFailed(
        "The database server does not answer, or broke off: what was just being saved may not have been.",
        hint="Check the network and the server, then try again.",
        detail=detail,
    )


def connection_error(exc: psycopg.Error, host: str) -> ErtError:
    """Return the ERT error for a connection that was not made; who could not be reached is named, no password is."""
    text = " ".join(str(exc).split())
    for sign, what, hint in _REASONS:
        if sign in text:
            return StorageFailed(f"The database server {host} {what}.", hint=hint, detail=text[:300])
    return StorageFailed(
        f"The database server {host} cannot be reached.",
        hint="Check the network, the address and whether the server runs, then try again.",
        detail=text[:300],
    )
