"""Semantic rules of an electron RT Plan: what the third-party checkers do not look at, and what treatment needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

from ert.dicom import values
from ert.dicom.validate_rules import Checker
from ert.geometry.frames import PATIENT_POSITIONS

_PLAN = (
    "RTPlanLabel", "RTPlanDate", "RTPlanTime", "RTPlanGeometry", "FrameOfReferenceUID", "FractionGroupSequence",
    "BeamSequence", "PatientSetupSequence", "DoseReferenceSequence", "ApprovalStatus",
)  # fmt: skip
_BEAM = (
    "BeamNumber", "BeamName", "BeamType", "RadiationType", "TreatmentMachineName", "PrimaryDosimeterUnit",
    "SourceAxisDistance", "BeamLimitingDeviceSequence", "TreatmentDeliveryType", "NumberOfWedges",
    "NumberOfCompensators", "NumberOfBoli", "NumberOfBlocks", "ApplicatorSequence", "FinalCumulativeMetersetWeight",
    "NumberOfControlPoints", "ControlPointSequence", "PrimaryFluenceModeSequence", "ReferencedPatientSetupNumber",
)  # fmt: skip
_FIRST_POINT = (
    "ControlPointIndex", "CumulativeMetersetWeight", "NominalBeamEnergy", "BeamLimitingDevicePositionSequence",
    "GantryAngle", "GantryRotationDirection", "BeamLimitingDeviceAngle", "BeamLimitingDeviceRotationDirection",
    "PatientSupportAngle", "PatientSupportRotationDirection", "TableTopEccentricAngle",
    "TableTopEccentricRotationDirection", "IsocenterPosition", "SourceToSurfaceDistance",
)  # fmt: skip
_TABLE = ("TableTopVerticalPosition", "TableTopLongitudinalPosition", "TableTopLateralPosition")
_ANGLES = (
    "GantryAngle", "BeamLimitingDeviceAngle", "PatientSupportAngle", "TableTopEccentricAngle", "TableTopPitchAngle",
    "TableTopRollAngle",
)  # fmt: skip
_DIRECTIONS = (
    "GantryRotationDirection", "BeamLimitingDeviceRotationDirection", "PatientSupportRotationDirection",
    "TableTopEccentricRotationDirection", "TableTopPitchRotationDirection", "TableTopRollRotationDirection",
)  # fmt: skip
_BLOCK = (
    "SourceToBlockTrayDistance", "BlockType", "BlockDivergence", "BlockMountingPosition", "BlockNumber", "MaterialID",
    "BlockThickness", "BlockNumberOfPoints", "BlockData",
)  # fmt: skip
_APPLICATOR_TYPES = (
    "ELECTRON_SQUARE", "ELECTRON_RECT", "ELECTRON_CIRC", "ELECTRON_SHORT", "ELECTRON_OPEN", "INTRAOPERATIVE",
    "STEREOTACTIC",
)  # fmt: skip
_EQUIPMENT = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber")
_JAW_PAIRS = ({"X", "Y"}, {"ASYMX", "ASYMY"})
_BELOW_360 = 359.9999
_SYMMETRY_TOLERANCE_MM = 0.01
_MAX_SH, _MAX_LO = 16, 64
_OPENING_TOLERANCE_MM = 0.1


def check_plan(ds: Dataset, checker: Checker) -> None:
    """All rules of one RT Plan; findings go to the checker."""
    checker.require(ds, _PLAN)
    checker.present(ds, ("OperatorsName", "PositionReferenceIndicator"))
    checker.among(ds, "RTPlanGeometry", ("PATIENT", "TREATMENT_DEVICE"))
    checker.among(ds, "ApprovalStatus", ("APPROVED", "UNAPPROVED", "REJECTED"))
    if values.text(ds, "RTPlanGeometry") == "PATIENT":
        checker.require(ds, ("ReferencedStructureSetSequence",))
    setups = values.items(ds, "PatientSetupSequence")
    for setup in setups:
        checker.require(setup, ("PatientSetupNumber", "PatientPosition"), "the patient setup")
        checker.among(setup, "PatientPosition", PATIENT_POSITIONS, "the patient setup")
    beams = values.items(ds, "BeamSequence")
    numbers = [values.text(b, "BeamNumber") for b in beams]
    if len(set(numbers)) != len(numbers):
        checker.add("duplicate", "two beams have the same number.")
    setup_numbers = {values.text(s, "PatientSetupNumber") for s in setups}
    for beam in beams:
        _check_beam(beam, checker, setup_numbers)
    for group in values.items(ds, "FractionGroupSequence"):
        _check_group(group, checker, numbers)
    for reference in values.items(ds, "DoseReferenceSequence"):
        keywords = ("DoseReferenceNumber", "DoseReferenceStructureType", "DoseReferenceType", "TargetPrescriptionDose")
        checker.require(reference, keywords, "the dose reference")


def _check_group(group: Dataset, checker: Checker, beam_numbers: list[str]) -> None:
    where = "the fraction group"
    references = values.items(group, "ReferencedBeamSequence")
    checker.require(group, ("FractionGroupNumber", "NumberOfFractionsPlanned", "NumberOfBeams"), where)
    checker.require(group, ("NumberOfBrachyApplicationSetups", "ReferencedBeamSequence"), where)
    checker.count(group, "NumberOfBeams", len(references), where)
    checker.within(group, "NumberOfFractionsPlanned", 1, 100, where)
    named = [values.text(r, "ReferencedBeamNumber") for r in references]
    if sorted(named) != sorted(beam_numbers):
        checker.add("reference", "the fraction group does not refer to every beam exactly once.")
    for reference in references:
        checker.require(reference, ("ReferencedBeamNumber", "BeamMeterset"), where)
        checker.within(reference, "BeamMeterset", 0.01, 10000, where)


def _check_beam(beam: Dataset, checker: Checker, setup_numbers: set[str]) -> None:
    where = f"beam {values.text(beam, 'BeamNumber')}"
    checker.require(beam, _BEAM, where)
    checker.among(beam, "BeamType", ("STATIC",), where)
    checker.among(beam, "RadiationType", ("ELECTRON",), where)
    checker.among(beam, "PrimaryDosimeterUnit", ("MU",), where)
    checker.among(beam, "TreatmentDeliveryType", ("TREATMENT",), where)
    checker.within(beam, "SourceAxisDistance", 500, 2000, where)
    for keyword, longest in (("TreatmentMachineName", _MAX_SH), ("BeamName", _MAX_LO)):
        if len(values.text(beam, keyword)) > longest:
            checker.add("length", f"{keyword} of {where} is longer than {longest} characters.")
    for keyword in _EQUIPMENT:
        if keyword in beam and not values.text(beam, keyword):
            checker.add("empty", f"{keyword} of {where} is there but empty.")
    if values.text(beam, "ReferencedPatientSetupNumber") not in setup_numbers:
        checker.add("reference", f"the patient setup of {where} does not exist.")
    for applicator in values.items(beam, "ApplicatorSequence"):
        checker.require(applicator, ("ApplicatorID", "ApplicatorType"), where)
        checker.among(applicator, "ApplicatorType", _APPLICATOR_TYPES, where)
        if len(values.text(applicator, "ApplicatorID")) > _MAX_SH:
            checker.add("length", f"the applicator id of {where} is longer than {_MAX_SH} characters.")
        _check_opening(applicator, checker, where)
    for mode in values.items(beam, "PrimaryFluenceModeSequence"):
        checker.among(mode, "FluenceMode", ("STANDARD", "NON_STANDARD"), where)
    blocks = values.items(beam, "BlockSequence")
    checker.count(beam, "NumberOfBlocks", len(blocks), where)
    checker.count(beam, "NumberOfBoli", len(values.items(beam, "ReferencedBolusSequence")), where)
    for block in blocks:
        _check_block(block, checker, where, _half_opening_mm(beam))
    _check_distances(beam, blocks, checker, where)
    _check_points(beam, checker, where)


def _check_opening(applicator: Dataset, checker: Checker, where: str) -> None:
    """A square applicator has one opening, a rectangular one two different ones."""
    kind = values.text(applicator, "ApplicatorType")
    for geometry in values.items(applicator, "ApplicatorGeometrySequence"):
        x_mm, y_mm = values.number(geometry, "ApplicatorOpeningX"), values.number(geometry, "ApplicatorOpeningY")
        is_square = values.number(geometry, "ApplicatorOpening") is not None
        if (kind == "ELECTRON_SQUARE" and not is_square) or (kind == "ELECTRON_RECT" and not (x_mm and y_mm)):
            checker.add("term", f"the applicator's opening and its type do not agree in {where}.")


def _half_opening_mm(beam: Dataset) -> tuple[float, float] | None:
    for applicator in values.items(beam, "ApplicatorSequence"):
        for geometry in values.items(applicator, "ApplicatorGeometrySequence"):
            side = values.number(geometry, "ApplicatorOpening")
            x_mm = values.number(geometry, "ApplicatorOpeningX") or side
            y_mm = values.number(geometry, "ApplicatorOpeningY") or side
            if x_mm and y_mm:
                return x_mm / 2, y_mm / 2
    return None


def _check_block(block: Dataset, checker: Checker, where: str, half_mm: tuple[float, float] | None) -> None:
    checker.require(block, _BLOCK, f"the cutout of {where}")
    checker.present(block, ("BlockTrayID",), f"the cutout of {where}")
    checker.among(block, "BlockType", ("APERTURE",), where)
    checker.among(block, "BlockDivergence", ("PRESENT", "ABSENT"), where)
    checker.among(block, "BlockMountingPosition", ("PATIENT_SIDE", "SOURCE_SIDE"), where)
    checker.within(block, "SourceToBlockTrayDistance", 100, 1500, where)
    checker.within(block, "BlockThickness", 0.1, 200, where)
    flat = values.coordinates(block, "BlockData")
    checker.count(block, "BlockNumberOfPoints", len(flat) // 2, where)
    if len(flat) % 2 or len(flat) < 6:  # noqa: PLR2004
        checker.add("outline", f"the cutout of {where} is no polygon.")
        return
    points = flat.reshape(-1, 2)
    x, y = points.T
    if np.array_equal(points[0], points[-1]):
        checker.add("outline", f"the cutout of {where} repeats its first point.")
    if abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) <= 0:
        checker.add("outline", f"the cutout of {where} has no area.")
    if half_mm is not None and np.any(np.abs(points).max(axis=0) > np.array(half_mm) + _OPENING_TOLERANCE_MM):
        checker.add("outline", f"the cutout of {where} reaches beyond the applicator's opening.")


def _check_distances(beam: Dataset, blocks: Sequence[Dataset], checker: Checker, where: str) -> None:
    """The skin lies beyond the block tray."""
    points = values.items(beam, "ControlPointSequence")
    ssd_mm = values.number(points[0], "SourceToSurfaceDistance") if points else None
    for block in blocks:
        tray_mm = values.number(block, "SourceToBlockTrayDistance")
        if ssd_mm is not None and tray_mm is not None and tray_mm >= ssd_mm:
            checker.add("range", f"the cutout's tray of {where} lies at or behind the skin.")


def _check_points(beam: Dataset, checker: Checker, where: str) -> None:
    points = values.items(beam, "ControlPointSequence")
    checker.count(beam, "NumberOfControlPoints", len(points), where)
    if len(points) < 2:  # noqa: PLR2004
        checker.add("count", f"{where} has {len(points)} control points; two are needed.")
        return
    checker.require(points[0], _FIRST_POINT, f"the first control point of {where}")
    checker.present(points[0], _TABLE, f"the first control point of {where}")
    for index, point in enumerate(points):
        checker.count(point, "ControlPointIndex", index, where)
        checker.require(point, ("CumulativeMetersetWeight",), where)
        for keyword in _ANGLES:
            checker.within(point, keyword, 0.0, _BELOW_360, where)
        for keyword in _DIRECTIONS:
            checker.among(point, keyword, ("NONE",), where)
    weights = [checker.number(p, "CumulativeMetersetWeight", where) for p in points]
    if weights[0] != 0.0:
        checker.add("weight", f"the meterset weights of {where} do not start at 0.")
    if weights[-1] is None or weights[-1] != checker.number(beam, "FinalCumulativeMetersetWeight", where):
        checker.add("weight", f"the last meterset weight of {where} is not its final one.")
    checker.within(points[0], "NominalBeamEnergy", 1, 50, where)
    checker.within(points[0], "SourceToSurfaceDistance", 500, 2000, where)
    _check_jaws(beam, points[0], checker, where)


def _check_jaws(beam: Dataset, first: Dataset, checker: Checker, where: str) -> None:
    devices = {
        values.text(d, "RTBeamLimitingDeviceType"): values.whole(d, "NumberOfLeafJawPairs")
        for d in values.items(beam, "BeamLimitingDeviceSequence")
    }
    if set(devices) not in _JAW_PAIRS or set(devices.values()) != {1}:
        checker.add("jaws", f"{where} does not have one pair of X and one of Y jaws of the same kind.")
    positions = values.items(first, "BeamLimitingDevicePositionSequence")
    if {values.text(p, "RTBeamLimitingDeviceType") for p in positions} != set(devices):
        checker.add("reference", f"{where} gives positions of other jaws than it has.")
    for position in positions:
        kind = values.text(position, "RTBeamLimitingDeviceType")
        if kind not in ("X", "Y", "ASYMX", "ASYMY"):
            checker.add("term", f"{where} has a beam limiting device of type '{kind}'.")
            continue
        pair = checker.numbers(position, "LeafJawPositions", 2, where)
        if pair is None or pair[0] >= pair[1]:
            checker.add("range", f"{where}: the {kind} jaws are not open.")
        elif kind in ("X", "Y") and abs(pair[0] + pair[1]) > _SYMMETRY_TOLERANCE_MM:
            checker.add("jaws", f"{where}: {kind} jaws are symmetric, but their positions are not.")
