"""Dose → RT Dose (DICOM PS3.3 A.18, C.8.8.3), 32-bit unsigned."""

from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID

from ert.dicom.attributes import Origin, StudyAttributes, decimal, decimals, long, new_object, save
from ert.dicom.headers import RT_DOSE, RT_PLAN
from ert.domain.patient import Patient
from ert.errors import ExportRejected
from ert.geometry.grid import VoxelGrid

_HIGHEST_STORED = 2_000_000_000  # below 2³¹: some readers take 32-bit values as signed
_MM_DIGITS = 4
_AXIS_DIGITS = 8
_MIN_PLANES = 2


@attrs.frozen(kw_only=True)
class DoseLabels:
    """What a dose file says of itself.

    Attributes
    ----------
    series : series description, for example "ERT pencil-beam 1, dose to medium".
    comment : for example "DEMO - NOT FOR CLINICAL USE"; up to 64 characters.
    is_overridden : True if structures' materials replaced CT numbers.
    """

    series: str
    comment: str = ""
    is_overridden: bool = False


def write_rt_dose(
    path: Path,
    *,
    patient: Patient,
    study: StudyAttributes,
    frame_of_reference_uid: str,
    grid: VoxelGrid,
    dose_gy: NDArray[np.float32],
    plan_sop_instance_uid: str,
    beam_number: int | None,
    labels: DoseLabels,
    sop_instance_uid: str,
    series_uid: str,
    instance_number: int,
    origin: Origin,
    fraction_group: int = 1,
) -> None:
    """Write the dose of a plan (``beam_number`` None) or of one of its beams, for all fractions.

    Parameters
    ----------
    grid, dose_gy : VoxelGrid, float32 [z, y, x]
        Gy for the whole course. Stored in steps of the maximum / 2·10⁹.
    plan_sop_instance_uid : str
        The RT Plan that the dose belongs to.

    Raises
    ------
    ExportRejected
        If the dose does not fit its grid, is negative or not finite, or the grid has a single plane.
    """
    _check(grid, dose_gy)
    what = "plan" if beam_number is None else f"beam {beam_number}"
    ds = new_object(
        RT_DOSE,
        sop_instance_uid,
        "RTDOSE",
        patient=patient,
        study=study,
        series_uid=series_uid,
        series_number=103,
        series_description=labels.series,
        instance_number=instance_number,
        origin=origin,
    )
    ds.FrameOfReferenceUID = UID(frame_of_reference_uid)
    ds.PositionReferenceIndicator = ""
    _set_grid(ds, grid)
    _set_values(ds, dose_gy)
    ds.DoseUnits, ds.DoseType = "GY", "PHYSICAL"
    ds.DoseSummationType = "PLAN" if beam_number is None else "BEAM"
    ds.DoseComment = long(f"{labels.comment} {what}".strip())
    ds.TissueHeterogeneityCorrection = ["IMAGE", "ROI_OVERRIDE"] if labels.is_overridden else "IMAGE"
    ds.ReferencedRTPlanSequence = [_plan_reference(plan_sop_instance_uid, fraction_group, beam_number)]
    save(ds, path)


def _check(grid: VoxelGrid, dose_gy: NDArray[np.float32]) -> None:
    if dose_gy.shape != grid.shape_zyx:
        raise ExportRejected(f"The dose has shape {dose_gy.shape}, its grid {grid.shape_zyx}.")
    if grid.shape_zyx[0] < _MIN_PLANES:
        raise ExportRejected("A dose of a single plane cannot be written as a volume.")
    if not np.all(np.isfinite(dose_gy)) or float(dose_gy.min()) < 0:
        raise ExportRejected("The dose has a value that is negative or not a finite number.")


def _set_grid(ds: Dataset, grid: VoxelGrid) -> None:
    """Image plane, pixel and multi-frame attributes of a grid."""
    nz, ny, nx = grid.shape_zyx
    sx, sy, sz = (10.0 * s for s in grid.spacing_cm)
    ds.ImagePositionPatient = decimals(10.0 * np.asarray(grid.origin_cm), _MM_DIGITS)
    ds.ImageOrientationPatient = decimals(np.ravel(grid.axes[:2]), _AXIS_DIGITS)
    ds.PixelSpacing = decimals((sy, sx), _MM_DIGITS)
    ds.SliceThickness = decimal(sz, _MM_DIGITS)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = ny, nx
    ds.NumberOfFrames = str(nz)
    ds.FrameIncrementPointer = Tag("GridFrameOffsetVector")
    ds.GridFrameOffsetVector = decimals(np.arange(nz) * sz, _MM_DIGITS)


def _set_values(ds: Dataset, dose_gy: NDArray[np.float32]) -> None:
    highest = float(dose_gy.max())
    scaling = f"{highest / _HIGHEST_STORED:.8e}" if highest > 0 else "1e-09"
    stored = np.empty(dose_gy.shape, dtype="<u4")
    for k, plane in enumerate(dose_gy):
        stored[k] = np.rint(plane.astype(np.float64) / float(scaling))
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 32, 32, 31, 0
    ds.DoseGridScaling = scaling
    ds.PixelData = stored.tobytes()
    ds["PixelData"].VR = "OW"


def _plan_reference(plan_uid: str, fraction_group: int, beam_number: int | None) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = UID(RT_PLAN)
    reference.ReferencedSOPInstanceUID = UID(plan_uid)
    if beam_number is not None:
        beam = Dataset()
        beam.ReferencedBeamNumber = str(beam_number)
        group = Dataset()
        group.ReferencedFractionGroupNumber = str(fraction_group)
        group.ReferencedBeamSequence = [beam]
        reference.ReferencedFractionGroupSequence = [group]
    return reference
