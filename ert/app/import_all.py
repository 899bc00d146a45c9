"""Import without a person to choose: every CT series that leaves no choice, and a reason for every other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs

from ert.app.jobs import JobContext
from ert.app.patient_service import ImportOutcome, ImportPreview, ImportService, Selection, choose_automatically
from ert.app.permissions import guarded
from ert.errors import Refused


@attrs.frozen(kw_only=True)
class LeftOut:
    """A series, or file, that was not imported, and why."""

    what: str
    reason: str


@attrs.frozen(kw_only=True)
class ImportReport:
    """What was imported and what was not."""

    imported: tuple[ImportOutcome, ...]
    left_out: tuple[LeftOut, ...]


@guarded
def import_everything(service: ImportService, sources: Sequence[Path], ctx: JobContext) -> ImportReport:
    """Scan the sources and import each CT series that has one structure set, or is a patient's only one.

    Each series is imported completely or not at all.

    Raises
    ------
    ImportRejected
        If nothing at all could be imported; says why.
    """
    preview = service.scan(sources, ctx)
    left_out = [LeftOut(what=f.subject, reason=f.sentence) for f in preview.findings if f.severity.value != "note"]
    chosen, not_chosen = selections(preview)
    left_out += not_chosen
    imported, first_refusal = [], None
    for selection in chosen:
        try:
            imported.append(service.import_selection(preview, selection, ctx))
        except Refused as refused:
            first_refusal = first_refusal or refused
            left_out.append(LeftOut(what=_name(preview, selection.series_uid), reason=str(refused)))
    if not imported:
        if first_refusal is not None:
            raise first_refusal
        choose_automatically(preview)
    return ImportReport(imported=tuple(imported), left_out=tuple(left_out))


def selections(preview: ImportPreview) -> tuple[list[Selection], list[LeftOut]]:
    """What can be imported without asking, and what cannot."""
    chosen: list[Selection] = []
    left_out: list[LeftOut] = []
    for patient in preview.patients:
        series = [s for study in patient.studies for s in study.series]
        usable = [s for s in series if s.is_importable]
        for one in series:
            name = one.description or one.uid
            sets = preview.structure_sets_for(one)
            if not one.is_importable:
                left_out.append(LeftOut(what=name, reason=" ".join(f.sentence for f in one.blockers)))
            elif len(sets) > 1:
                names = ", ".join(f"'{s.label}' ({s.header.path.name})" for s in sets)
                left_out.append(LeftOut(what=name, reason=f"There are {len(sets)} structure sets on it: {names}."))
            elif sets:
                uid = sets[0].header.sop_instance_uid
                chosen.append(Selection(series_uid=one.uid, structure_set_uid=uid))
            elif len(usable) == 1:
                chosen.append(Selection(series_uid=one.uid))
            else:
                left_out.append(
                    LeftOut(what=name, reason="No structure set was drawn on it, and it is not the only CT.")
                )
    return chosen, left_out


def _name(preview: ImportPreview, series_uid: str) -> str:
    return next((s.description or s.uid for s in preview.series if s.uid == series_uid), series_uid)
