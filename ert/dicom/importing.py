"""From a scan to one consistent patient, CT and structure set: all of it, or `ImportRejected` and nothing."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ert.dicom.ct import CtFile, read_ct
from ert.dicom.grouping import ScanResult
from ert.dicom.headers import StructureSetHeader
from ert.dicom.series import CtSeries, with_position
from ert.dicom.structures import read_structures
from ert.domain.image import CtImage
from ert.domain.patient import Patient
from ert.domain.record import Finding, Severity
from ert.domain.structure import StructureSet
from ert.errors import ImportRejected

_CT_SHARE = 0.8
_REASONS = 3


@attrs.frozen(kw_only=True)
class Selection:
    """What the user chose of a scan.

    Attributes
    ----------
    series_uid : the CT series.
    structure_set_uid : SOP Instance UID of the structure set; None imports the CT alone, with no structures.
    medical_record_number : stands in where the files have no Patient ID; else ignored.
    patient_position : stands in where the files have none (one of eight, such as HFS); else ignored.
    """

    series_uid: str
    structure_set_uid: str | None = None
    medical_record_number: str = ""
    patient_position: str = ""


@attrs.frozen(kw_only=True)
class ImportedCourse:
    """One consistent set, in memory.

    Attributes
    ----------
    ct_files : in the order of ``image.sop_instance_uids``; bytes to be kept unchanged for export.
    findings : notes and warnings, never a blocker.
    """

    patient: Patient
    image: CtImage
    structures: StructureSet
    ct_files: tuple[CtFile, ...]
    findings: tuple[Finding, ...]


def default_selection(scan: ScanResult) -> Selection:
    """The only sensible selection, where there is one.

    Raises
    ------
    ImportRejected
        If there is no usable CT series, or several series or structure sets to choose from.
    """
    usable = [s for s in scan.series if s.is_importable]
    drawn_on = [s for s in scan.series if scan.structure_sets_for(s)]
    if len(usable) > 1 and len(drawn_on) == 1:
        usable = [s for s in usable if s is drawn_on[0]]
    if not usable:
        raise _no_series(scan)
    if len(usable) > 1:
        names = ", ".join(f"'{s.description or s.uid}' ({len(s.slices)} slices)" for s in usable)
        raise ImportRejected(f"There are {len(usable)} CT series: {names}.", hint="Choose one.")
    sets = scan.structure_sets_for(usable[0])
    if len(sets) > 1:
        names = ", ".join(f"'{s.label}' of {s.date or 'unknown date'} ({s.header.path.name})" for s in sets)
        raise ImportRejected(f"There are {len(sets)} structure sets on this CT: {names}.", hint="Choose one.")
    return Selection(series_uid=usable[0].uid, structure_set_uid=sets[0].header.sop_instance_uid if sets else None)


def _no_series(scan: ScanResult) -> ImportRejected:
    """Why nothing can be imported: the series with the most slices speaks, for it is the one meant."""
    if scan.series:
        meant = max(scan.series, key=lambda s: len(s.slices))
        reasons = " ".join(f.sentence for f in meant.blockers)
        return ImportRejected(
            f"CT series '{meant.description or meant.uid}' cannot be used: {reasons}",
            hint="Have it exported again completely, or choose another folder.",
        )
    serious = [f.sentence for f in scan.findings if f.severity is not Severity.NOTE]
    reasons = " ".join((serious or [f.sentence for f in scan.findings])[:_REASONS])
    return ImportRejected(
        f"No CT series was found among {scan.file_count} file{'s' if scan.file_count != 1 else ''}. {reasons}".strip(),
        hint="Choose the folder that holds the planning CT.",
    )


def _find_series(scan: ScanResult, uid: str) -> CtSeries:
    for one in scan.series:
        if one.uid == uid:
            return one
    raise ImportRejected("The chosen CT series is not among the scanned files.")


def _find_structure_set(scan: ScanResult, uid: str) -> StructureSetHeader:
    for one in scan.structure_sets:
        if one.header.sop_instance_uid == uid:
            return one
    doubled = [f.sentence for f in scan.findings if f.code == "duplicate-uid"]
    raise ImportRejected(" ".join(["The chosen structure set cannot be used.", *doubled]))


def _check_neighbours(scan: ScanResult, series: CtSeries) -> None:
    """A damaged CT file beside the slices may be one of them: the series could be incomplete without showing it."""
    folders = {s.header.path.parent for s in series.slices}
    damaged = [p.name for p in scan.damaged_ct if p.parent in folders]
    if damaged:
        raise ImportRejected(
            f"'{damaged[0]}', in the same folder as the CT series, is damaged and may be one of its slices.",
            hint="Copy the series again, or move that file elsewhere if it does not belong to it.",
        )


def read_selection(
    scan: ScanResult,
    selection: Selection,
    *,
    progress: Callable[[float, str], None] | None = None,
    check: Callable[[], None] = lambda: None,
) -> ImportedCourse:
    """Read the chosen CT series and structure set.

    Parameters
    ----------
    scan : ScanResult
        From `ert.dicom.scan.scan`.
    selection : Selection
        What to take; `default_selection` where there is no choice.
    progress : callable, optional
        Called with a fraction 0–1 and a text.
    check : callable, optional
        Called often; raises to stop.

    Raises
    ------
    ImportRejected
        If anything in it blocks; nothing is half read.
    """
    series = with_position(_find_series(scan, selection.series_uid), selection.patient_position)
    header = None
    if selection.structure_set_uid is not None:
        header = _find_structure_set(scan, selection.structure_set_uid)
        difference = series.person.disagreement(header.header.person)
        if difference:
            raise ImportRejected(
                f"The structure set and the CT belong to different patients: {difference}.",
                hint="Choose a structure set of the same patient.",
            )
    _check_neighbours(scan, series)
    patient = series.person.to_patient(selection.medical_record_number)

    def ct_progress(fraction: float, text: str) -> None:
        if progress is not None:
            progress(_CT_SHARE * fraction, text)

    image = read_ct(series, progress=ct_progress, check=check)
    structures, findings = _structures(header, image)
    check()
    if progress is not None:
        progress(1.0, "Read")
    by_uid = {s.header.sop_instance_uid: s.header.path for s in series.slices}
    return ImportedCourse(
        patient=patient,
        image=image,
        structures=structures,
        ct_files=tuple(CtFile(sop_instance_uid=uid, path=by_uid[uid]) for uid in image.sop_instance_uids),
        findings=(*series.findings, *findings),
    )


def _structures(header: StructureSetHeader | None, image: CtImage) -> tuple[StructureSet, list[Finding]]:
    if header is None:
        sentence = "Imported without structures; an external contour is needed before a plan can be made."
        empty = StructureSet(
            label="(none)",
            frame_of_reference_uid=image.frame_of_reference_uid,
            sop_instance_uid="",
            structures=(),
        )
        return empty, [Finding(severity=Severity.WARNING, code="no-structures", sentence=sentence)]
    return read_structures(header.header.path, grid=image.grid, frame_of_reference_uid=image.frame_of_reference_uid)
