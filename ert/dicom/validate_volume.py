"""Semantic rules of RT Structure Set, RT Dose and CT image."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from ert.dicom import values
from ert.dicom.series import POSITION_TOLERANCE_MM, unit_axes
from ert.dicom.validate_rules import Checker
from ert.domain.structure import StructureRole
from ert.errors import ImportRejected
from ert.geometry.frames import PATIENT_POSITIONS

_INTERPRETED = {*(role.value for role in StructureRole), "MARKER", "ISOCENTER", "FIXATION", "TREATED_VOLUME"}
_STRUCTURES = (
    "StructureSetLabel", "StructureSetDate", "StructureSetTime", "FrameOfReferenceUID",
    "ReferencedFrameOfReferenceSequence", "StructureSetROISequence", "ROIContourSequence", "RTROIObservationsSequence",
    "ApprovalStatus",
)  # fmt: skip
_PLANE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns")
_PIXELS = (
    "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelData",
)  # fmt: skip
_DOSE = (
    "DoseUnits", "DoseType", "DoseSummationType", "DoseGridScaling", "NumberOfFrames", "FrameIncrementPointer",
    "GridFrameOffsetVector", "FrameOfReferenceUID", "ReferencedRTPlanSequence", "TissueHeterogeneityCorrection",
)  # fmt: skip
_CT = ("ImageType", "PatientPosition", "FrameOfReferenceUID", "RescaleSlope", "RescaleIntercept")


def check_structures(ds: Dataset, checker: Checker) -> None:
    """All rules of one RT Structure Set."""
    checker.require(ds, _STRUCTURES)
    checker.present(ds, ("OperatorsName", "PositionReferenceIndicator"))
    rois = values.items(ds, "StructureSetROISequence")
    numbers = [values.text(r, "ROINumber") for r in rois]
    if len(set(numbers)) != len(numbers):
        checker.add("duplicate", "two structures have the same number.")
    frame = values.text(ds, "FrameOfReferenceUID")
    for roi in rois:
        checker.require(roi, ("ROINumber", "ReferencedFrameOfReferenceUID", "ROIName"), "a structure")
        checker.present(roi, ("ROIGenerationAlgorithm",), "a structure")
        if values.text(roi, "ReferencedFrameOfReferenceUID") != frame:
            checker.add("frame", f"structure {values.text(roi, 'ROINumber')} is in another frame of reference.")
    observed = values.items(ds, "RTROIObservationsSequence")
    for one in observed:
        checker.require(one, ("ObservationNumber", "ReferencedROINumber"), "an observation")
        checker.present(one, ("RTROIInterpretedType", "ROIInterpreter"), "an observation")
        checker.among(one, "RTROIInterpretedType", _INTERPRETED, "an observation")
    contoured = values.items(ds, "ROIContourSequence")
    for found, what in ((observed, "observations"), (contoured, "contours")):
        if sorted(values.text(i, "ReferencedROINumber") for i in found) != sorted(numbers):
            checker.add("reference", f"the {what} do not belong to every structure exactly once.")
    for item in contoured:
        _check_contours(item, checker)


def _check_contours(item: Dataset, checker: Checker) -> None:
    where = f"structure {values.text(item, 'ReferencedROINumber')}"
    for contour in values.items(item, "ContourSequence"):
        checker.require(contour, ("ContourGeometricType", "NumberOfContourPoints"), where)
        checker.among(contour, "ContourGeometricType", ("CLOSED_PLANAR", "POINT"), where)
        try:
            flat = values.coordinates(contour, "ContourData")
        except ImportRejected as refused:
            checker.add("number", f"{refused.sentence} ({where})")
            continue
        checker.count(contour, "NumberOfContourPoints", len(flat) // 3, where)
        is_point = values.text(contour, "ContourGeometricType") == "POINT"
        if len(flat) % 3 or len(flat) < (3 if is_point else 9):
            checker.add("outline", f"{where} has a contour that is no polygon.")


def _check_pixels(ds: Dataset, checker: Checker) -> None:
    """Image plane, and as many bytes of uncompressed pixels as the header announces."""
    checker.require(ds, (*_PLANE, *_PIXELS))
    orientation = checker.numbers(ds, "ImageOrientationPatient", 6)
    checker.numbers(ds, "ImagePositionPatient", 3)
    spacing = checker.numbers(ds, "PixelSpacing", 2)
    if spacing is not None and min(spacing) <= 0:
        checker.add("range", "the pixel spacing is not positive.")
    if orientation is not None:
        try:
            unit_axes(orientation)
        except ImportRejected as refused:
            checker.add("geometry", refused.sentence)
    sizes = [checker.number(ds, k) for k in ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit")]
    if None in sizes or "PixelData" not in ds:
        return
    rows, columns, allocated, stored, high = (int(s or 0) for s in sizes)
    if stored > allocated or high != stored - 1:
        checker.add("pixels", "Bits Allocated, Bits Stored and High Bit contradict each other.")
    meta = getattr(ds, "file_meta", None)
    if meta is not None and meta.TransferSyntaxUID.is_encapsulated:
        return
    frames = int(checker.number(ds, "NumberOfFrames") or 1)
    expected = rows * columns * frames * allocated // 8
    length = len(ds["PixelData"].value or b"")
    if length not in (expected, expected + expected % 2):
        checker.add("pixels", f"there are {length} bytes of pixels where {expected} belong.")


def check_dose(ds: Dataset, checker: Checker) -> None:
    """All rules of one RT Dose."""
    checker.require(ds, _DOSE)
    checker.present(ds, ("OperatorsName", "PositionReferenceIndicator"))
    checker.among(ds, "DoseUnits", ("GY",))
    checker.among(ds, "DoseType", ("PHYSICAL",))
    checker.among(ds, "DoseSummationType", ("PLAN", "BEAM"))
    _check_pixels(ds, checker)
    scaling = checker.number(ds, "DoseGridScaling")
    if scaling is not None and scaling <= 0:
        checker.add("range", "the Dose Grid Scaling is not positive.")
    offsets = values.coordinates(ds, "GridFrameOffsetVector")
    checker.count(ds, "NumberOfFrames", len(offsets))
    if len(offsets) > 1:
        even = np.linspace(0.0, offsets[-1], len(offsets))
        if offsets[0] != 0 or offsets[-1] <= 0 or np.abs(offsets - even).max() > POSITION_TOLERANCE_MM:
            checker.add("geometry", "the plane positions do not rise evenly from 0.")
    if values.text(ds, "DoseSummationType") == "BEAM" and not referenced_beams(ds):
        checker.add("reference", "a beam's dose does not say which beam it belongs to.")


def referenced_beams(ds: Dataset) -> list[str]:
    """The beam numbers that a dose refers to."""
    return [
        values.text(beam, "ReferencedBeamNumber")
        for plan in values.items(ds, "ReferencedRTPlanSequence")
        for group in values.items(plan, "ReferencedFractionGroupSequence")
        for beam in values.items(group, "ReferencedBeamSequence")
    ]


def check_ct(ds: Dataset, checker: Checker) -> None:
    """All rules of one CT image, as it arrived: only what planning depends on."""
    checker.require(ds, _CT)
    checker.among(ds, "PatientPosition", PATIENT_POSITIONS)
    _check_pixels(ds, checker)
