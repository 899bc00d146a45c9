"""Structure sets: a document without contours, and one array of all contour points. Every revision is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from ert.domain.identity import new_id
from ert.domain.structure import Contour, Structure, StructureSet
from ert.errors import BadTag
from ert.storage import codec, documents, schema
from ert.storage.envelope import FileKind
from ert.storage.records import Records, Row, Saving, the_file

_ITEM_SIZE = 8


def put_revision(
    records: Records, save: Saving, structure_set: StructureSet, *, revision: int, folder: tuple[str, ...]
) -> Row:
    """Put the files of one revision and return its row for the transaction."""
    content, points_cm = _to_content(structure_set)
    row_id = new_id()
    table = schema.structure_set_revision
    contours = records.context(schema.structure_set, structure_set.id, revision, FileKind.CONTOURS)
    save.put(codec.array_to_buffers(points_cm), folder=folder, context=contours, item_size=_ITEM_SIZE)
    document = records.context(schema.structure_set, structure_set.id, revision, FileKind.DOCUMENT)
    cell = save.put_document("structure_set", content, table=table, row_id=row_id, context=document, folder=folder)
    return {
        "uuid": row_id,
        "structure_set": structure_set.id,
        "saved_by": records.actor,
        "document_ct": cell,
    }


def read_revision(records: Records, structure_set_id: str) -> tuple[StructureSet, int]:
    """Return the newest revision of a structure set, and its number."""
    table = schema.structure_set_revision
    with records.database.read() as connection:
        head = records.row(connection, schema.structure_set, structure_set_id)
        found = records.rows(connection, table, table.c.structure_set == structure_set_id, table.c.rev == head["rev"])
        files = records.files_of(connection, schema.structure_set, structure_set_id, head["rev"])
    if len(found) != 1:
        raise _damaged("revision missing")
    if found[0]["document_ct"] is not None:
        content = records.decrypt_document("structure_set", found[0], table=table)
    else:
        packed = records.blobs.read(the_file(files, FileKind.DOCUMENT))
        content = documents.read_document("structure_set", bytes(packed))
    points_cm = codec.bytes_to_array(records.blobs.read(the_file(files, FileKind.CONTOURS)))
    structure_set = _from_content(content, points_cm)
    if structure_set.id != structure_set_id:
        raise _damaged("id differs")
    return structure_set, head["rev"]


def raise_head(records: Records, connection: sa.Connection, structure_set_id: str, *, base_revision: int) -> bool:
    """Move the head to its next revision; False if it was not at `base_revision`."""
    row = records.row(connection, schema.structure_set, structure_set_id)
    return row["rev"] == base_revision and records.update(connection, schema.structure_set, row, {})


def _to_content(structure_set: StructureSet) -> tuple[Row, NDArray[np.float64]]:
    """Return the document, and the points of all contours (n, 3) in order."""
    content = documents.to_content(structure_set, omit=["structures"])
    content["structures"] = [
        documents.to_content(structure, omit=["contours"])
        | {"contour_points": [len(contour.points_cm) for contour in structure.contours]}
        for structure in structure_set.structures
    ]
    arrays = [c.points_cm for structure in structure_set.structures for c in structure.contours]
    points_cm = np.concatenate(arrays) if arrays else np.empty((0, 3), dtype=np.float64)
    return content, points_cm


def _from_content(content: Row, points_cm: NDArray[Any]) -> StructureSet:
    sheets = content.pop("structures", None)
    if not isinstance(sheets, list) or points_cm.dtype != np.float64 or points_cm.shape[1:] != (3,):
        raise _damaged("structures or contour points")
    structures: list[Structure] = []
    start = 0
    for sheet in sheets:
        counts = sheet.pop("contour_points", None) if isinstance(sheet, dict) else None
        if not isinstance(counts, list) or not all(type(n) is int and n >= 0 for n in counts):
            raise _damaged("contour points")
        ends = [start + sum(counts[: i + 1]) for i in range(len(counts))]
        if ends and ends[-1] > len(points_cm):
            raise _damaged("contour points missing")
        contours = tuple(Contour(points_cm=points_cm[b - n : b]) for n, b in zip(counts, ends, strict=True))
        structures.append(documents.from_content(sheet, Structure, contours=contours))
        start = ends[-1] if ends else start
    if start != len(points_cm):
        raise _damaged("contour points left over")
    return documents.from_content(content, StructureSet, structures=tuple(structures))


def _damaged(detail: str) -> BadTag:
    return BadTag(
        "A structure set of this site cannot be read; it was not used.",
        hint="Run 'ert check' and restore the record from a backup.",
        detail=f"structure set: {detail}",
    )
