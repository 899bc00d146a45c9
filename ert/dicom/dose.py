"""RT Dose → grid and Gy (DICOM PS3.3 A.18, C.8.8.3)."""

from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.pixels.utils import pixel_array

from ert.dicom import values
from ert.dicom.boundary import dicom_boundary, read_dataset
from ert.dicom.headers import RT_DOSE, PersonHeader, to_person
from ert.dicom.orientation import along_patient_axes
from ert.dicom.series import POSITION_TOLERANCE_MM, unit_axes
from ert.errors import ImportRejected
from ert.geometry.grid import VoxelGrid

_MAX_VOXELS = 1 << 28
_BIG_ENDIAN = "1.2.840.10008.1.2.2"


@attrs.frozen(kw_only=True)
class ImportedDose:
    """A dose volume as read.

    Attributes
    ----------
    grid : in the patient, cm; turned along the patient's axes where it is a transverse volume.
    dose_gy : float32 [z, y, x].
    summation_type : PLAN, BEAM, FRACTION …, as written.
    plan_uid : of the RT Plan it belongs to; may be empty.
    beam_numbers : the beams it was computed for, if it says so.
    """

    grid: VoxelGrid
    dose_gy: NDArray[np.float32] = attrs.field(eq=attrs.cmp_using(eq=np.array_equal), repr=False)
    frame_of_reference_uid: str
    summation_type: str
    plan_uid: str
    beam_numbers: tuple[int, ...]
    person: PersonHeader
    description: str


def read_rt_dose(path: Path) -> ImportedDose:
    """Read an RT Dose.

    Raises
    ------
    ImportRejected
        If it is no RT Dose in Gy, is not an evenly spaced volume, or its pixels are missing or cut short.
    """
    dataset = read_dataset(path)
    with dicom_boundary(path.name):
        try:
            return _to_dose(dataset, *_frames(dataset))
        except ImportRejected as refused:
            raise _refusal(path, refused) from refused


def read_dose_grid(path: Path) -> VoxelGrid:
    """Where an RT Dose lies, with the axes of its file; its pixels are not read.

    Raises
    ------
    ImportRejected
        If it is no RT Dose or not an evenly spaced volume.
    """
    dataset = read_dataset(path, with_pixels=False)
    with dicom_boundary(path.name):
        try:
            return _frames(dataset)[0]
        except ImportRejected as refused:
            raise _refusal(path, refused) from refused


def _refusal(path: Path, refused: ImportRejected) -> ImportRejected:
    return ImportRejected(f"RT Dose '{path.name}': {refused.sentence}", hint=refused.hint, detail=refused.detail)


def _frames(dataset: FileDataset) -> tuple[VoxelGrid, bool]:
    """The grid as the file has it, and whether its frames come in falling order along the normal."""
    if values.text(dataset, "SOPClassUID") != RT_DOSE:
        raise ImportRejected("it is no RT Dose object.")
    rows, columns = values.required_whole(dataset, "Rows"), values.required_whole(dataset, "Columns")
    frames = values.whole(dataset, "NumberOfFrames") or 1
    offsets_mm = values.coordinates(dataset, "GridFrameOffsetVector")
    if min(rows, columns) < 1 or rows * columns * frames > _MAX_VOXELS:
        raise ImportRejected(f"{frames} planes of {rows} × {columns} points cannot be a dose volume.")
    if frames < 2:  # noqa: PLR2004
        raise ImportRejected("it has a single plane; a dose volume needs at least two.")
    if len(offsets_mm) != frames:
        raise ImportRejected(f"it has {frames} planes and {len(offsets_mm)} plane positions.")
    orientation = values.numbers(dataset, "ImageOrientationPatient", 6)
    position_mm = values.numbers(dataset, "ImagePositionPatient", 3)
    spacing_mm = values.numbers(dataset, "PixelSpacing", 2)
    if orientation is None or position_mm is None or spacing_mm is None or min(spacing_mm) <= 0:
        raise ImportRejected("its position, orientation or pixel spacing is missing or not positive.")
    axes = unit_axes(orientation)
    offsets_mm = _relative(offsets_mm, position_mm, axes)
    steps = np.diff(offsets_mm)
    spacing_z = float(offsets_mm[-1] - offsets_mm[0]) / (frames - 1)
    even = np.arange(frames) * spacing_z
    if np.any(steps * np.sign(spacing_z) <= 0) or np.abs(offsets_mm - even).max() > POSITION_TOLERANCE_MM:
        raise ImportRejected("its planes are not evenly spaced.")
    is_falling = spacing_z < 0
    origin = np.array(position_mm) + (axes[2] * offsets_mm[-1] if is_falling else 0.0)
    grid = VoxelGrid(
        origin_cm=origin / 10.0,
        spacing_cm=(spacing_mm[1] / 10.0, spacing_mm[0] / 10.0, abs(spacing_z) / 10.0),
        shape_zyx=(frames, rows, columns),
        axes=axes,
    )
    return grid, is_falling


def _relative(
    offsets_mm: NDArray[np.float64], position_mm: tuple[float, ...], axes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Plane positions relative to the first (C.8.8.3.2: either relative already, or patient z of a transverse dose)."""
    first_mm = float(offsets_mm[0])
    is_relative = abs(first_mm) <= POSITION_TOLERANCE_MM
    is_transverse = bool(np.allclose(axes, np.eye(3), atol=1e-4))
    if not is_relative and not (is_transverse and abs(first_mm - position_mm[2]) <= POSITION_TOLERANCE_MM):
        raise ImportRejected("its plane positions neither start at 0 nor at the position of the first plane.")
    relative_mm: NDArray[np.float64] = offsets_mm - first_mm
    return relative_mm


def _to_dose(dataset: FileDataset, grid: VoxelGrid, is_falling: bool) -> ImportedDose:  # noqa: FBT001
    if values.text(dataset, "DoseUnits").upper() != "GY":
        raise ImportRejected(f"its unit is '{values.text(dataset, 'DoseUnits')}', not Gy.")
    if values.text(dataset, "DoseType").upper() != "PHYSICAL":
        raise ImportRejected(f"its type is '{values.text(dataset, 'DoseType')}', not physical dose.")
    scaling = values.required_number(dataset, "DoseGridScaling")
    if scaling <= 0:
        raise ImportRejected(f"its Dose Grid Scaling is {scaling:g}; its values are lost.")
    stored = _stored(dataset, grid.shape_zyx)
    dose_gy = np.empty(grid.shape_zyx, dtype=np.float32)
    for k in range(grid.shape_zyx[0]):
        dose_gy[-1 - k if is_falling else k] = stored[k] * scaling
    turned, dose_gy, _order = along_patient_axes(grid, dose_gy)
    dose_gy.flags.writeable = False
    plans = values.items(dataset, "ReferencedRTPlanSequence")
    beams = [
        values.required_whole(beam, "ReferencedBeamNumber")
        for plan in plans
        for group in values.items(plan, "ReferencedFractionGroupSequence")
        for beam in values.items(group, "ReferencedBeamSequence")
    ]
    return ImportedDose(
        grid=turned,
        dose_gy=dose_gy,
        frame_of_reference_uid=values.text(dataset, "FrameOfReferenceUID"),
        summation_type=values.text(dataset, "DoseSummationType").upper(),
        plan_uid=values.text(plans[0], "ReferencedSOPInstanceUID") if plans else "",
        beam_numbers=tuple(beams),
        person=to_person(dataset),
        description=values.text(dataset, "DoseComment") or values.text(dataset, "SeriesDescription"),
    )


def _stored(dataset: FileDataset, shape: tuple[int, int, int]) -> NDArray[np.unsignedinteger]:
    """Stored values [frames, rows, columns]."""
    if "PixelData" not in dataset or not dataset["PixelData"].value:
        raise ImportRejected("it has no pixel data.")
    bits = values.required_whole(dataset, "BitsAllocated")
    if bits not in (16, 32) or values.required_whole(dataset, "PixelRepresentation") != 0:
        raise ImportRejected("its values are not 16 or 32-bit unsigned numbers.")
    meta = getattr(dataset, "file_meta", None)
    syntax = meta.get("TransferSyntaxUID") if meta is not None else None
    if syntax is not None and syntax.is_compressed and syntax.is_encapsulated:
        stored = np.asarray(pixel_array(dataset))
        if stored.shape != shape:
            raise ImportRejected(f"its values decode to {stored.shape}, not {shape}.")
        return stored
    data = dataset["PixelData"].value
    expected = int(np.prod(shape)) * bits // 8
    if len(data) not in (expected, expected + expected % 2):
        raise ImportRejected(f"it has {len(data)} bytes of values where {expected} belong: it is cut short or damaged.")
    order = ">" if syntax == _BIG_ENDIAN else "<"
    return np.frombuffer(data, dtype=f"{order}u{bits // 8}", count=int(np.prod(shape))).reshape(shape)
