"""``store.json``: which site a folder holds and who may read it; authenticated under the audit key."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
from pathlib import Path
from typing import Any

from attrs import asdict, evolve, frozen

from ert import strictjson
from ert.domain.database_server import ServerAddress
from ert.errors import BadTag, NotASite, SchemaTooNew
from ert.storage.atomic import translated
from ert.storage.keys import Vault

FILE_NAME = "store.json"
FORMAT = 1
SUITE_FILE = 1  # rows in an encrypted file of the folder
SUITE_SERVER = 2  # rows on a database server: their cells and codes are all the cryptography they have
CLINICAL = "clinical"
SANDBOX = "sandbox"
MINIMUM_APP_VERSION = "0.1.0"
_DOMAIN = "store/1"
_MAXIMUM_BYTES = 16 * 1024


@frozen(kw_only=True)
class ServerPlace:
    """Where the rows lie when they are kept on a server; the password is not here (server_secret.py).

    Attributes
    ----------
    host, port, database, role : as in the address.
    schema : name of the schema that holds this site's tables and nothing else.
    authority_sha256 : of the file with the certificates that vouch for the server; "" trusts the system's.
    """

    host: str
    port: int
    database: str
    role: str
    schema: str
    authority_sha256: str = ""

    @property
    def address(self) -> ServerAddress:
        """Server, database and role."""
        return ServerAddress(host=self.host, port=self.port, database=self.database, role=self.role)


@frozen(kw_only=True)
class StoreFile:
    """What stands in ``store.json``.

    Attributes
    ----------
    store_id : random id of the site.
    kind : "clinical", or "sandbox" for trying things out.
    format, suite : versions of the folder's layout and of its cryptography.
    min_app_version : older programs must not open it.
    epoch : raised when a backup is activated, so that clients of the past cannot write.
    created_utc : ISO 8601.
    database : the server that keeps the rows; None if they lie in the folder.
    """

    store_id: str
    kind: str
    format: int = FORMAT
    suite: int = SUITE_FILE
    min_app_version: str = MINIMUM_APP_VERSION
    epoch: int = 1
    created_utc: str
    database: ServerPlace | None = None

    def to_json(self, vault: Vault) -> bytes:
        """Return the file's bytes with their authentication code."""
        document = self.document()
        code = vault.authentication_code(_DOMAIN, strictjson.dump(document))
        return strictjson.dump({"store": document, "hmac_sha256": code.hex()})

    def document(self) -> dict[str, Any]:
        """Return its content; a site whose rows lie in its folder says nothing of servers."""
        found = asdict(self)
        if self.database is None:
            del found["database"]
        return found

    def on_server(self, place: ServerPlace) -> StoreFile:
        """Return the content once the rows lie on a server; programs that know of none refuse the suite."""
        return evolve(self, suite=SUITE_SERVER, database=place)

    def in_folder(self) -> StoreFile:
        """Return the content once the rows lie in the folder."""
        return evolve(self, suite=SUITE_FILE, database=None)


def make_store_file(*, store_id: str, kind: str, created: dt.datetime) -> StoreFile:
    """Return the content for a new site."""
    if kind not in {CLINICAL, SANDBOX}:
        raise ValueError(f"unknown kind of site {kind!r}")
    return StoreFile(store_id=store_id, kind=kind, created_utc=created.isoformat())


def app_version() -> str:
    """Return the program's version, "0" when it runs from a source tree that was never installed."""
    try:
        return importlib.metadata.version("ert")
    except importlib.metadata.PackageNotFoundError:
        return "0"


def read_store_file(root: Path) -> tuple[StoreFile, bytes]:
    """Read ``store.json`` of a site folder: its content, not yet vouched for, and its authentication code.

    Raises
    ------
    NotASite
        No such file, or not ours.
    SchemaTooNew
        Written by a newer version, or for newer versions only.
    StorageFailed
        The file cannot be read.
    """
    path = root / FILE_NAME
    with translated("reading store.json"):
        if not path.is_file():
            raise _not_a_site(root, "no store.json")
        if path.stat().st_size > _MAXIMUM_BYTES:
            raise _not_a_site(root, "store.json too long")
        data = path.read_bytes()
    try:
        outer = strictjson.load(data, maximum_bytes=_MAXIMUM_BYTES)
        document: dict[str, Any] = outer["store"]
        code = bytes.fromhex(outer["hmac_sha256"])
        _check_versions(document)
        store = _read(document)
    except (ValueError, TypeError, KeyError) as exc:
        raise _not_a_site(root, f"store.json: {type(exc).__name__}") from exc
    if store.kind not in {CLINICAL, SANDBOX}:
        raise _not_a_site(root, "store.json: kind")
    return store, code


def check_store_file(store: StoreFile, code: bytes, vault: Vault) -> None:
    """Refuse a ``store.json`` that was changed by somebody without the site's keys."""
    if not vault.vouches(code, _DOMAIN, strictjson.dump(store.document())):
        raise BadTag(
            "The file store.json of this site was changed.",
            hint="Call physics and restore the file from a backup.",
            detail="store.json authentication code",
        )


def _read(document: dict[str, Any]) -> StoreFile:
    place = document.get("database")
    store = StoreFile(**document | {"database": None if place is None else ServerPlace(**place)})
    if (store.suite == SUITE_SERVER) != (store.database is not None):
        raise ValueError("suite and place of the database")
    return store


def _check_versions(document: dict[str, Any]) -> None:
    version, suite, wanted = document["format"], document["suite"], document["min_app_version"]
    running = app_version()
    is_too_new = version > FORMAT or suite > SUITE_SERVER or (running != "0" and _parts(wanted) > _parts(running))
    if is_too_new:
        raise SchemaTooNew(
            "This site was made for a newer version of the program.",
            hint=f"Update the program to {wanted} or later.",
            detail=f"store.json format {version} suite {suite}",
        )


def _parts(version: str) -> tuple[int, ...]:
    numbers = version.split("+", maxsplit=1)[0].split(".")[:3]
    return tuple(int(part) for part in numbers if part.isdecimal())


def _not_a_site(root: Path, detail: str) -> NotASite:
    return NotASite(
        f"The folder {root} is not an ERT site.",
        hint="Choose the folder that holds store.json, or create a site with 'ert site create'.",
        detail=detail,
    )
