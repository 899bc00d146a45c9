"""Machine packages of a site: the bytes as commissioned, immutable once added."""

from __future__ import annotations

from ert.domain.identity import new_id
from ert.errors import DigestMismatch
from ert.storage import schema
from ert.storage.envelope import FileKind
from ert.storage.exclusive import MACHINES, fence
from ert.storage.records import Records, the_file

_FIRST = 1
_FOLDER = "machines"


class MachineRepository:
    """Machine packages (port ``MachineStore``)."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def packages(self) -> tuple[bytes, ...]:
        """Return all packages in order of adding, each verified.

        Raises
        ------
        BadTag, DigestMismatch
            A package is not what was added.
        """
        records, table = self._records, schema.machine
        with records.database.read() as connection:
            rows = records.rows(connection, table)
            files = [the_file(records.files_of(connection, table, row["uuid"], _FIRST), FileKind.MACHINE_PACKAGE)
                     for row in rows]  # fmt: skip
        return tuple(bytes(records.blobs.read(stored)) for stored in files)

    def add(self, *, name: str, digest: str, content: bytes, replaces: str = "") -> None:
        """Keep a package under its digest; adding the same again changes nothing.

        ``replaces`` is the digest of the version of the machine it follows; that one stays.

        Raises
        ------
        DigestMismatch
            The site has other bytes or another name under this digest.
        LockHeld, LockLost
            A colleague works on the site's machines, or took that over from here; nothing was added.
        """
        if self._is_known(name, digest, content):
            return
        records, row_id = self._records, new_id()
        context = records.context(schema.machine, row_id, _FIRST, FileKind.MACHINE_PACKAGE)
        document = records.encrypt_document(
            "machine", {"name": name, "bytes": len(content)}, table=schema.machine, row_id=row_id
        )
        with records.saving() as save:
            save.put([content], folder=(_FOLDER, row_id), context=context)
            with save.transaction() as connection:
                fence(records, connection, MACHINES)
                records.insert(connection, schema.machine, {"uuid": row_id, "digest": digest, "document_ct": document})
                records.trail.append(
                    connection, "machine configured" if replaces else "machine added", table="machine",
                    record=row_id, revision=_FIRST,
                    change={"digest": digest, "replaces": replaces} if replaces else {"digest": digest},
                )  # fmt: skip

    def _is_known(self, name: str, digest: str, content: bytes) -> bool:
        records, table = self._records, schema.machine
        with records.database.read() as connection:
            rows = records.rows(connection, table, table.c.digest == digest)
            files = [f for row in rows for f in records.files_of(connection, table, row["uuid"], _FIRST)]
        if not rows:
            return False
        stored_name = records.decrypt_document("machine", rows[0], table=table)["name"]
        if stored_name != name or records.blobs.read(the_file(files, FileKind.MACHINE_PACKAGE)) != content:
            raise DigestMismatch(
                f"This site has another machine package under the digest of '{name}'; nothing was added.",
                hint="Commission the machine again, then add the new package.",
                detail=f"machine {rows[0]['uuid']}",
            )
        return True
