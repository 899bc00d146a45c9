"""The demo patient: a synthetic CT and structure set as DICOM files, the same bytes on every machine.

Nobody's anatomy; `ert.dicom.demo_anatomy` says what it is made of. For trying the program, for its tests, and never for
treatment.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray
from pydicom.uid import UID

from ert.dicom.attributes import DEMO_COMMENT, Origin, StudyAttributes, decimals, new_object, save
from ert.dicom.demo_anatomy import anatomy, ct_numbers
from ert.dicom.headers import CT_IMAGE
from ert.dicom.structures_write import write_structures
from ert.dicom.uids import uid_for
from ert.domain.image import CtImage
from ert.domain.patient import Patient, Sex
from ert.domain.structure import Contour, Structure, StructureRole, StructureSet
from ert.geometry.grid import VoxelGrid

MEDICAL_RECORD_NUMBER = "ERT-DEMO-1"
_VERSION = "1"
_SPACING_CM = (0.2, 0.2, 0.3)
_SHAPE_ZYX = (72, 128, 192)
_ORIGIN_CM = (-19.1, -15.1, -10.65)
_INTERCEPT_HU = -1024
_STRUCTURES = (
    ("BODY", StructureRole.EXTERNAL, (120, 200, 120), "body"),
    ("PTV_Chestwall", StructureRole.PTV, (230, 60, 60), "target"),
    ("Lung_L", StructureRole.ORGAN, (80, 150, 240), "lung_left"),
    ("Lung_R", StructureRole.ORGAN, (120, 190, 250), "lung_right"),
    ("Heart", StructureRole.ORGAN, (220, 120, 190), "heart"),
)


def demo_patient() -> Patient:
    """Who the demo patient is."""
    return Patient(
        medical_record_number=MEDICAL_RECORD_NUMBER,
        family_name="DEMO",
        given_name="CHESTWALL",
        birth_date=dt.date(1960, 1, 1),
        sex=Sex.FEMALE,
    )


def build_demo_patient(folder: Path) -> tuple[Path, ...]:
    """Write the demo patient: 72 CT slices and one RT Structure Set.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.

    Returns
    -------
    tuple of Path
        The files, the structure set last.

    Raises
    ------
    ExportRejected
        If a file cannot be written as DICOM.
    """
    folder.mkdir(parents=True, exist_ok=True)
    patient, origin = demo_patient(), _origin()
    study = StudyAttributes(
        uid=uid_for("demo", _VERSION, "study"),
        date="20250102",
        time="090000",
        study_id="DEMO",
        description="Synthetic chest wall",
    )
    image = demo_image()
    paths = [folder / f"ct_{k + 1:03d}.dcm" for k in range(_SHAPE_ZYX[0])]
    for k, path in enumerate(paths):
        _write_slice(path, k, image, patient=patient, study=study, origin=origin)
    structures_path = folder / "structures.dcm"
    write_structures(
        structures_path,
        patient=patient,
        study=study,
        image=image,
        structures=demo_structures(image),
        sop_instance_uid=uid_for("demo", _VERSION, "structures"),
        series_uid=uid_for("demo", _VERSION, "structures series"),
        origin=origin,
    )
    return (*paths, structures_path)


def _origin() -> Origin:
    return Origin(made_at=dt.datetime(2025, 1, 2, 9, 0, tzinfo=dt.UTC), software_version=f"demo {_VERSION}")


def _coordinates(grid: VoxelGrid) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Voxel centres along x, y, z, cm, shaped for broadcasting to [z, y, x]."""
    x, y, z = (grid.origin_cm[a] + grid.axis_centres_cm(a) for a in range(3))
    return x[None, None, :], y[None, :, None], z[:, None, None]


def demo_image() -> CtImage:
    """The demo CT, HFS: [72, 128, 192] voxels of 2 × 2 × 3 mm."""
    grid = VoxelGrid(origin_cm=_ORIGIN_CM, spacing_cm=_SPACING_CM, shape_zyx=_SHAPE_ZYX)
    hu = ct_numbers(*_coordinates(grid))
    hu = _smooth(hu) + _noise(hu.shape)
    return CtImage(
        grid=grid,
        hu=np.maximum(hu, _INTERCEPT_HU).astype(np.int16),
        frame_of_reference_uid=uid_for("demo", _VERSION, "frame"),
        study_instance_uid=uid_for("demo", _VERSION, "study"),
        series_instance_uid=uid_for("demo", _VERSION, "ct series"),
        sop_instance_uids=tuple(uid_for("demo", _VERSION, "ct", str(k)) for k in range(_SHAPE_ZYX[0])),
        patient_position="HFS",
        description=f"Synthetic chest wall, {DEMO_COMMENT}",
        manufacturer="ERT",
        acquisition_date="20250102",
    )


def _smooth(hu: NDArray[np.int32]) -> NDArray[np.int32]:
    """A scanner's blur: binomial weights 1-2-1 in the plane, whole numbers only."""
    for axis in (1, 2):
        hu = (np.roll(hu, 1, axis) + 2 * hu + np.roll(hu, -1, axis)) >> 2
    return hu


def _noise(shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Smooth noise of about 8 HU standard deviation, from a multiplicative hash of the voxel's index."""
    state = np.arange(np.prod(shape), dtype=np.uint64)
    for factor in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB):  # splitmix64 (Steele et al. 2014)
        state = (state ^ (state >> np.uint64(29))) * np.uint64(factor)
    uniform = ((state >> np.uint64(40)) & np.uint64(0xFF)).astype(np.int32) - 128
    return _smooth(uniform.reshape(shape)) * 2 // 7


def demo_structures(image: CtImage) -> StructureSet:
    """The demo structures, contoured on every slice at the surfaces the CT was made from."""
    x, y, z = _coordinates(image.grid)
    fields = [anatomy(x[0], y[0], z[k]) for k in range(image.grid.shape_zyx[0])]
    structures = tuple(
        Structure(
            number=number,
            name=name,
            role=role,
            colour=colour,
            contours=tuple(
                contour
                for k, found in enumerate(fields)
                for contour in _outlines(getattr(found, attribute), x.ravel(), y.ravel(), float(z.ravel()[k]))
            ),
        )
        for number, (name, role, colour, attribute) in enumerate(_STRUCTURES, start=1)
    )
    return StructureSet(
        label="DEMO",
        frame_of_reference_uid=image.frame_of_reference_uid,
        sop_instance_uid=uid_for("demo", _VERSION, "structures"),
        series_instance_uid=uid_for("demo", _VERSION, "structures series"),
        structures=structures,
    )


def _outlines(field: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64], z_cm: float) -> list[Contour]:
    """Where a field is zero on one slice, as closed contours rounded to 0.01 mm; specks below 0.2 cm² are dropped."""
    filled = contour_generator(x, y, field, fill_type=FillType.OuterOffset).filled(0.0, np.inf)
    found = []
    for points, offsets in zip(*filled, strict=True):
        for start, end in zip(offsets[:-1], offsets[1:], strict=True):
            ring = np.round(np.asarray(points[start : end - 1], dtype=float), 3)
            a, b = ring.T
            if abs(a @ np.roll(b, -1) - b @ np.roll(a, -1)) / 2 >= 0.2:
                found.append(Contour(points_cm=np.column_stack([ring, np.full(len(ring), z_cm)])))
    return found


def _write_slice(
    path: Path, k: int, image: CtImage, *, patient: Patient, study: StudyAttributes, origin: Origin
) -> None:
    """One CT image (DICOM PS3.3 A.3), uncompressed."""
    grid = image.grid
    ds = new_object(
        CT_IMAGE,
        image.sop_instance_uids[k],
        "CT",
        patient=patient,
        study=study,
        series_uid=image.series_instance_uid,
        series_number=1,
        series_description=image.description,
        instance_number=k + 1,
        origin=origin,
    )
    ds.ImageType = ["DERIVED", "PRIMARY", "AXIAL"]
    ds.DerivationDescription = "Computed from geometric shapes; nobody's anatomy"
    ds.ContentDate, ds.ContentTime = study.date, study.time
    ds.AcquisitionDate, ds.AcquisitionTime, ds.AcquisitionNumber = study.date, study.time, "1"
    ds.BodyPartExamined = "CHEST"
    ds.KVP = "120"
    ds.PatientPosition = image.patient_position
    ds.FrameOfReferenceUID = UID(image.frame_of_reference_uid)
    ds.PositionReferenceIndicator = ""
    ds.ImagePositionPatient = decimals(10.0 * grid.point_cm((0, 0, k)), 3)
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    ds.PixelSpacing = decimals((10.0 * grid.spacing_cm[1], 10.0 * grid.spacing_cm[0]), 3)
    ds.SliceThickness = decimals((10.0 * grid.spacing_cm[2],), 3)[0]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = grid.shape_zyx[1], grid.shape_zyx[2]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", str(_INTERCEPT_HU), "HU"
    ds.WindowCenter, ds.WindowWidth = "40", "400"
    ds.ImageComments = DEMO_COMMENT
    ds.PixelData = (image.hu[k].astype(np.int32) - _INTERCEPT_HU).astype("<u2").tobytes()
    save(ds, path)
