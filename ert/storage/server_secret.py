"""The password of a site's database role, and the certificates that vouch for its server, in the site's folder.

The password is an encrypted file (ERTE, kind 12) under the file keys, so whoever opens the site can use it and nobody
else; the certificates are public, and ``store.json`` holds their SHA-256. Neither is ever in a backup: what is restored
is a folder that needs no server.
"""

from __future__ import annotations

import hashlib
import io
import uuid
from pathlib import Path

from ert.errors import BadTag
from ert.storage.atomic import replace_file, translated
from ert.storage.blobs import TMP
from ert.storage.envelope import FileContext, FileKind, Header, seal, unseal
from ert.storage.keys import Vault
from ert.storage.store_file import ServerPlace

PASSWORD_FILE = "keys/server.bin"  # noqa: S105 - a path
AUTHORITY_FILE = "keys/server-ca.pem"
_MAXIMUM_BYTES = 64 * 1024


def write_secret(root: Path, vault: Vault, *, password: str, authority_pem: str) -> None:
    """Write both as whole files; no certificates are written if there are none."""
    content = password.encode("utf-8")
    header = Header(
        kind=FileKind.SERVER_PASSWORD, generation=vault.generation, file_id=uuid.uuid4(), length=len(content)
    )
    out = io.BytesIO()
    seal(out, [content], header=header, context=_context(vault), kek=vault.file_kek(vault.generation))
    replace_file(root / PASSWORD_FILE, out.getvalue(), tmp_folder=root / TMP)
    if authority_pem:
        replace_file(root / AUTHORITY_FILE, authority_pem.encode("ascii"), tmp_folder=root / TMP)


def read_password(root: Path, vault: Vault) -> str:
    """Return the password; `BadTag` if the file is missing, damaged or another site's."""
    with translated("reading the password of the database"):
        path = root / PASSWORD_FILE
        if not path.is_file():
            raise _unusable("no file")
        with path.open("rb") as stream:
            data = stream.read(_MAXIMUM_BYTES)
    try:
        _, pieces = unseal(io.BytesIO(data), file_bytes=len(data), context=_context(vault), kek_of=vault.file_kek)
        return b"".join(pieces).decode("utf-8")
    except (BadTag, UnicodeDecodeError) as exc:
        raise _unusable("content") from exc


def renew_secret(root: Path, vault: Vault) -> None:
    """Write the password anew under the keys in use."""
    write_secret(root, vault, password=read_password(root, vault), authority_pem="")


def remove_secret(root: Path) -> None:
    """Remove both: the site needs no server any more."""
    with translated("removing the password of the database"):
        for name in (PASSWORD_FILE, AUTHORITY_FILE):
            (root / name).unlink(missing_ok=True)


def authority_sha256(authority_pem: str) -> str:
    """Return what ``store.json`` says of the certificates; "" for none."""
    return hashlib.sha256(authority_pem.encode("ascii")).hexdigest() if authority_pem else ""


def authority_of(root: Path, place: ServerPlace) -> Path | None:
    """Return the file of the certificates, None if the system's count; `BadTag` if it is not the one that was given."""
    if not place.authority_sha256:
        return None
    path = root / AUTHORITY_FILE
    with translated("reading the certificates of the database server"):
        data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != place.authority_sha256:
        raise BadTag(
            "The certificates that vouch for this site's database server are missing or were changed.",
            hint="An administrator gives them again with 'ert site reconnect --server-ca FILE'.",
            detail=f"{AUTHORITY_FILE}: sha256",
        )
    return path


def _context(vault: Vault) -> FileContext:
    return FileContext(
        store_id=vault.store_id, table="server", record_id=vault.store_id, revision=1, kind=FileKind.SERVER_PASSWORD
    )


def _unusable(detail: str) -> BadTag:
    return BadTag(
        "The password of this site's database cannot be read from its folder.",
        hint="An administrator gives it again with 'ert site reconnect'.",
        detail=f"{PASSWORD_FILE}: {detail}",
    )
