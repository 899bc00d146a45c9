"""What a dose from DICOM is computed on: CT, structures, CT curve, overrides."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ert.app.text_files import read_text
from ert.dicom.grouping import ScanResult
from ert.dicom.importing import ImportedCourse, Selection, default_selection, read_selection
from ert.dicom.scan import scan
from ert.domain.image import CtCurve, DensityOverride
from ert.domain.materials import ct_curve_from_csv, default_ct_curve, material_named
from ert.domain.structure import Structure, StructureSet
from ert.errors import ImportRejected, Refused

Progress = Callable[[float, str], None]
Check = Callable[[], None]


def read_curve(path: Path | None) -> CtCurve:
    """The CT curve of a CSV file, the default curve if none is given."""
    if path is None:
        return default_ct_curve()
    return ct_curve_from_csv(read_text(path, "CT curve"), name=path.stem)


def read_overrides(path: Path | None, structures: StructureSet) -> tuple[DensityOverride, ...]:
    """Material overrides of a JSON file: a list of ``{"structure": name, "material": name}``, applied in order.

    Raises
    ------
    Refused
        If the file is not of that form, or names a structure or material that does not exist.
    """
    if path is None:
        return ()
    what = f"Overrides file '{path}'"
    try:
        items = json.loads(read_text(path, "Overrides file"))
    except json.JSONDecodeError as error:
        raise Refused(f"{what} is no JSON: line {error.lineno}, column {error.colno}.") from error
    form = 'It must be a list such as [{"structure": "Bolus", "material": "water"}].'
    if not isinstance(items, list):
        raise Refused(f"{what} holds no list.", hint=form)
    overrides = []
    for number, item in enumerate(items, start=1):
        if not isinstance(item, dict) or set(item) != {"structure", "material"}:
            raise Refused(f"{what}, entry {number}, needs exactly 'structure' and 'material'.", hint=form)
        if not all(isinstance(value, str) for value in item.values()):
            raise Refused(f"{what}, entry {number}: structure and material must be names.", hint=form)
        structure = structures.named(item["structure"])
        if structure.is_empty:
            raise Refused(f"{what}, entry {number}: structure '{structure.name}' has no contours.")
        material = material_named(item["material"])
        overrides.append(DensityOverride(structure_number=structure.number, material=material))
    return tuple(overrides)


def read_course(ct_folder: Path, structures_file: Path, *, progress: Progress, check: Check) -> ImportedCourse:
    """The CT of a folder with the structure set of one file.

    Where the folder holds several CT series, the one the structure set was drawn on is taken.

    Raises
    ------
    ImportRejected
        If the folder holds no usable CT, it cannot be told which one is meant, or CT and structures do not belong
        together.
    """
    if not structures_file.is_file():
        raise ImportRejected(f"Structure set file '{structures_file}' does not exist.")
    if not ct_folder.is_dir():
        raise ImportRejected(f"CT folder '{ct_folder}' does not exist.")
    drawn = scan([structures_file], check=check)
    if len(drawn.structure_sets) != 1:
        reasons = " ".join(f.sentence for f in drawn.findings)
        raise ImportRejected(f"'{structures_file}' is no usable RT Structure Set. {reasons}".strip())
    both = scan([ct_folder, structures_file], progress=progress, check=check)
    header = drawn.structure_sets[0]
    selection = Selection(
        series_uid=_series_uid(both, header.referenced_series_uids, header.frame_uids),
        structure_set_uid=header.header.sop_instance_uid,
        medical_record_number="(none)",
    )
    return read_selection(both, selection, progress=progress, check=check)


def _series_uid(found_all: ScanResult, referenced: tuple[str, ...], frames: tuple[str, ...]) -> str:
    """The series a structure set was drawn on: the one it names, else the only one in its frame of reference."""
    usable = [s for s in found_all.series if s.is_importable]
    named = [s for s in usable if s.uid in referenced]
    in_frame = [s for s in usable if s.frame_uid in frames]
    for found in (named, in_frame):
        if len(found) == 1:
            return found[0].uid
    return default_selection(found_all).series_uid


def external_of(structures: StructureSet) -> Structure:
    """The patient's outline.

    Raises
    ------
    ImportRejected
        If no structure, or more than one, is a contoured EXTERNAL.
    """
    external = structures.external
    if external is None:
        raise ImportRejected(
            f"Structure set '{structures.label}' has no single contoured structure of type EXTERNAL; "
            "dose needs the patient's outline.",
            hint="Contour the patient's outline and give it the RT ROI Interpreted Type EXTERNAL.",
        )
    return external
