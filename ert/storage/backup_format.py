"""What lies in a backup folder.

::

    ert-backup.json              whose backups these are; HMAC
    backup.lock                  held while a backup is written or removed
    files/<2>/<sha256>.erte      the encrypted files, each once, named by SHA-256; written once, read-only
    snapshots/<id>/              one backup: site.db, store.json, keys/…, and manifest.json, written last
    snapshots/<id>.unfinished/   one that was interrupted, or is being written or removed
    tmp/                         unfinished files
    damaged/                     files whose content no longer fitted their name, put aside

Everything is as encrypted as the site itself. ``manifest.json`` holds size and SHA-256 of every part, the head of the
history, and an HMAC-SHA-256 under the site's audit key (purpose ``backup/1``).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from attrs import asdict, frozen

from ert import strictjson
from ert.domain.backup import BackupInfo, BackupState
from ert.errors import BadTag, InvalidSite, NotFound, SchemaTooNew
from ert.storage.atomic import replace_file, translated
from ert.storage.blobs import BlobStore, StoredFile
from ert.storage.keys import Vault
from ert.storage.places import open_regular

FOLDER_FILE = "ert-backup.json"
LOCK = "backup.lock"
OBJECTS = "files"
SNAPSHOTS = "snapshots"
TMP = "tmp"
DAMAGED = "damaged"
MANIFEST = "manifest.json"
UNFINISHED = ".unfinished"
FORMAT = 1
_BLOCK = 1024 * 1024
_DOMAIN = "backup/1"
_FOLDER_DOMAIN = "backup-folder/1"
_ID = re.compile(r"\d{8}T\d{6}-\d{6}Z")
_SHA = re.compile(r"[0-9a-f]{64}")


@frozen(kw_only=True)
class Part:
    """One file: its path below the site's folder, bytes, SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str


@frozen(kw_only=True)
class Manifest:
    """What one backup consists of.

    Attributes
    ----------
    parts : database, site file and keys, in the backup's own folder.
    files : encrypted files, under ``files/``.
    flaws : what was wrong with the site already; empty for a complete backup.
    verified_level : of the check that the finished backup passed.
    """

    format: int = FORMAT
    backup_id: str
    store_id: str
    created_utc: str
    app_version: str
    schema_version: int
    epoch: int
    head_seq: int
    head_h: str
    verified_level: int
    new_bytes: int
    parts: tuple[Part, ...]
    files: tuple[Part, ...]
    flaws: tuple[str, ...] = ()

    def to_json(self, vault: Vault) -> bytes:
        """Return the file's bytes with their authentication code."""
        document = asdict(self)
        code = vault.authentication_code(_DOMAIN, strictjson.dump(document))
        return strictjson.dump({"backup": document, "hmac_sha256": code.hex()})

    def check_code(self, code: bytes, vault: Vault) -> None:
        """Refuse a manifest that was changed by somebody without the site's keys, or is another site's."""
        is_ours = vault.vouches(code, _DOMAIN, strictjson.dump(asdict(self)), may_be_earlier=True)
        if not is_ours or self.store_id != vault.store_id:
            raise damaged_backup(self.backup_id, "manifest: authentication code")

    def info(self) -> BackupInfo:
        """Return what a list shows."""
        return BackupInfo(
            backup_id=self.backup_id,
            state=BackupState.INCOMPLETE if self.flaws else BackupState.COMPLETE,
            created=dt.datetime.fromisoformat(self.created_utc),
            file_count=len(self.files),
            total_bytes=sum(part.size for part in (*self.parts, *self.files)),
            new_bytes=self.new_bytes,
            verified_level=self.verified_level,
            epoch=self.epoch,
            head_seq=self.head_seq,
            flaws=self.flaws,
        )


class BackupBlobs(BlobStore):
    """The encrypted files of a site as a backup folder keeps them."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        super().__init__(folder, vault)
        self._folder = folder

    def place(self, stored: StoredFile) -> Path:
        """Where a file lies: by its content, not by its name."""
        return object_path(self._folder, stored.sha256_cipher.hex())


def object_path(folder: Path, sha256: str) -> Path:
    """Return where the content of that SHA-256 lies."""
    return folder / OBJECTS / sha256[:2] / f"{sha256}.erte"


def read_manifest(folder: Path, backup_id: str) -> tuple[Manifest, bytes]:
    """Read a backup's manifest, not yet vouched for, and its authentication code.

    Raises
    ------
    NotFound
        No finished backup of that name.
    BadTag, SchemaTooNew, StorageFailed
        It cannot be used.
    """
    if not _ID.fullmatch(backup_id):
        raise no_backup(folder, backup_id)
    path = folder / SNAPSHOTS / backup_id / MANIFEST
    with translated("reading the backup's manifest"):
        if not path.parent.is_dir():
            raise no_backup(folder, backup_id)
        if not path.is_file():
            raise damaged_backup(backup_id, "manifest missing")
        data = path.read_bytes()
    try:
        outer = strictjson.load(data)
        document = dict(outer["backup"])
        if document["format"] > FORMAT:
            raise SchemaTooNew(
                f"The backup {backup_id} was made by a newer version of the program.", hint="Update the program."
            )
        for name in ("parts", "files"):
            document[name] = tuple(_part(entry) for entry in document[name])
        manifest = Manifest(**document | {"flaws": tuple(document["flaws"])})
        code = bytes.fromhex(outer["hmac_sha256"])
        dt.datetime.fromisoformat(manifest.created_utc)
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise damaged_backup(backup_id, f"manifest: {type(exc).__name__}") from exc
    if manifest.backup_id != backup_id:
        raise damaged_backup(backup_id, "manifest of another backup")
    return manifest, code


def write_folder_file(folder: Path, vault: Vault) -> None:
    """Say whose backups a folder holds."""
    document = {"format": FORMAT, "store_id": vault.store_id}
    code = vault.authentication_code(_FOLDER_DOMAIN, strictjson.dump(document))
    data = strictjson.dump({"folder": document, "hmac_sha256": code.hex()})
    replace_file(folder / FOLDER_FILE, data, tmp_folder=folder / TMP)


def check_folder_file(folder: Path, store_id: str) -> None:
    """Refuse a folder that holds no backups, or those of another site.

    A damaged file is passed over: what vouches for a backup is its own manifest.
    """
    path = folder / FOLDER_FILE
    with translated("reading the backup folder"):
        if not (folder / SNAPSHOTS).is_dir() and not path.is_file():
            raise InvalidSite(
                f"The folder {folder} holds no backups of an ERT site.",
                hint="Choose the folder that was given to 'ert backup --to', or a new one.",
            )
        data = path.read_bytes() if path.is_file() else b""
    try:
        found = strictjson.load(data)["folder"]["store_id"]
    except (ValueError, TypeError, KeyError):
        return
    if found != store_id:
        raise InvalidSite(
            f"The folder {folder} holds the backups of another site.", hint="Choose another folder for each site."
        )


def backup_ids(folder: Path) -> tuple[str, ...]:
    """Return the names of what lies under ``snapshots/``, unfinished ones too, oldest first."""
    with translated("listing the backups"):
        found = (folder / SNAPSHOTS).iterdir() if (folder / SNAPSHOTS).is_dir() else ()
        return tuple(sorted(p.name for p in found if _ID.fullmatch(p.name.removesuffix(UNFINISHED)) and p.is_dir()))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as the disk has it: its cached pages are dropped first if possible."""
    with open_regular(path) as source:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(source.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return hashlib.file_digest(source, "sha256").hexdigest()


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Callable[[], bytes]]:
    """Give a function that reads the next block of a file; `OSError` of reading is damage, that of writing is not."""

    def read() -> bytes:
        with _as_damage(path):
            return stream.read(_BLOCK)

    with _as_damage(path):
        stream = open_regular(path)
    try:
        yield read
    finally:
        with contextlib.suppress(OSError):  # what was read is compared with its digest, whatever closing says
            stream.close()


@contextlib.contextmanager
def _as_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise damaged_file(path.name, f"{type(exc).__name__} errno={exc.errno}") from exc


def is_whole(path: Path, part: Part) -> bool:
    """Whether a file is there with the size and the content that a manifest names."""
    with translated("reading the backup"):
        return path.is_file() and path.stat().st_size == part.size and sha256_of(path) == part.sha256


def damaged_backup(backup_id: str, detail: str) -> BadTag:
    """Return the error for a backup that cannot be trusted."""
    return BadTag(
        f"The backup {backup_id} is damaged or was changed; it was not used.",
        hint="Use another backup; 'ert backup list' names them.",
        detail=detail,
    )


def damaged_file(name: str, detail: str) -> BadTag:
    """Return the error for one file that is not what its record says."""
    return BadTag(
        f"The file {name} is missing or damaged; it was not used.",
        hint="Run 'ert check' on the site and 'ert backup verify' on its backups.",
        detail=f"{name}: {detail}",
    )


def no_backup(folder: Path, backup_id: str) -> NotFound:
    """Return the error for a name nobody knows."""
    return NotFound(f"There is no backup {backup_id} in {folder}.", hint="'ert backup list' names them.")


def _part(entry: dict[str, Any]) -> Part:
    part = Part(**entry)
    place = PurePosixPath(part.path)
    is_below = place.parts and not place.is_absolute() and ".." not in place.parts and not set(part.path) & set("\\:\0")
    if not is_below or not _SHA.fullmatch(part.sha256) or part.size < 0:
        raise ValueError("impossible part")
    return part
