"""`StructureSet` → RT Structure Set (DICOM PS3.3 A.19, C.8.8.5, C.8.8.6, C.8.8.8)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID, ImplicitVRLittleEndian

from ert.dicom.attributes import Origin, StudyAttributes, decimal, long, new_object, save, set_coordinates, short
from ert.dicom.headers import CT_IMAGE, RT_STRUCTURE_SET
from ert.domain.image import CtImage, DensityOverride
from ert.domain.patient import Patient
from ert.domain.structure import Structure, StructureRole, StructureSet

_DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"
_ON_PLANE_CM = 0.01


def write_structures(
    path: Path,
    *,
    patient: Patient,
    study: StudyAttributes,
    image: CtImage,
    structures: StructureSet,
    overrides: tuple[DensityOverride, ...] = (),
    sop_instance_uid: str,
    series_uid: str,
    origin: Origin,
) -> None:
    """Write a structure set drawn on a CT.

    Parameters
    ----------
    path : Path
        The file to write.
    overrides : tuple of DensityOverride
        Written as ROI physical properties (relative mass and electron density) of their structures.
    sop_instance_uid, series_uid : str
        Of the new object.

    Raises
    ------
    ExportRejected
        If a value does not fit its DICOM representation.
    """
    ds = new_object(
        RT_STRUCTURE_SET,
        sop_instance_uid,
        "RTSTRUCT",
        patient=patient,
        study=study,
        series_uid=series_uid,
        series_number=101,
        series_description=f"ERT structures {structures.label}",
        instance_number=1,
        origin=origin,
    )
    ds.FrameOfReferenceUID = UID(image.frame_of_reference_uid)
    ds.PositionReferenceIndicator = ""
    ds.StructureSetLabel = short(structures.label) or "ERT"
    ds.StructureSetDate, ds.StructureSetTime = f"{origin.made_at:%Y%m%d}", f"{origin.made_at:%H%M%S}"
    ds.ReferencedFrameOfReferenceSequence = [_referenced_frame(image)]
    ds.StructureSetROISequence = [_roi(s, image.frame_of_reference_uid) for s in structures.structures]
    writer = _ContourWriter(image)
    ds.ROIContourSequence = [writer.roi_contour(s) for s in structures.structures]
    materials = {o.structure_number: o for o in overrides}
    ds.RTROIObservationsSequence = [
        _observation(index, s, materials.get(s.number)) for index, s in enumerate(structures.structures, start=1)
    ]
    ds.ApprovalStatus = "UNAPPROVED"
    save(ds, path, transfer_syntax=ImplicitVRLittleEndian)


def _referenced_frame(image: CtImage) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = UID(image.series_instance_uid)
    series.ContourImageSequence = [_image_reference(uid) for uid in image.sop_instance_uids]
    study = Dataset()
    study.ReferencedSOPClassUID = UID(_DETACHED_STUDY)
    study.ReferencedSOPInstanceUID = UID(image.study_instance_uid)
    study.RTReferencedSeriesSequence = [series]
    frame = Dataset()
    frame.FrameOfReferenceUID = UID(image.frame_of_reference_uid)
    frame.RTReferencedStudySequence = [study]
    return frame


def _image_reference(sop_instance_uid: str) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = UID(CT_IMAGE)
    reference.ReferencedSOPInstanceUID = UID(sop_instance_uid)
    return reference


def _roi(structure: Structure, frame_uid: str) -> Dataset:
    roi = Dataset()
    roi.ROINumber = str(structure.number)
    roi.ReferencedFrameOfReferenceUID = UID(frame_uid)
    roi.ROIName = long(structure.name)
    roi.ROIGenerationAlgorithm = ""
    return roi


class _ContourWriter:
    """Contours of one image: finds the slice that each contour lies on."""

    def __init__(self, image: CtImage) -> None:
        self._image = image
        grid = image.grid
        self._normal = np.asarray(grid.axes)[2]
        self._heights_cm = float(np.asarray(grid.origin_cm) @ self._normal) + grid.axis_centres_cm(2)

    def roi_contour(self, structure: Structure) -> Dataset:
        item = Dataset()
        item.ROIDisplayColor = [str(c) for c in structure.colour]
        item.ReferencedROINumber = str(structure.number)
        closed = [self._contour("CLOSED_PLANAR", c.points_cm) for c in structure.contours]
        points = [self._contour("POINT", np.array([p])) for p in structure.points]
        if closed or points:
            item.ContourSequence = [*closed, *points]
        return item

    def _contour(self, kind: str, points_cm: NDArray[np.float64]) -> Dataset:
        contour = Dataset()
        offsets = np.abs(self._heights_cm - float((points_cm @ self._normal).mean()))
        nearest = int(np.argmin(offsets))
        if offsets[nearest] <= _ON_PLANE_CM:
            contour.ContourImageSequence = [_image_reference(self._image.sop_instance_uids[nearest])]
        contour.ContourGeometricType = kind
        contour.NumberOfContourPoints = str(len(points_cm))
        set_coordinates(contour, "ContourData", (points_cm * 10.0).ravel())
        return contour


def _observation(index: int, structure: Structure, override: DensityOverride | None) -> Dataset:
    item = Dataset()
    item.ObservationNumber = str(index)
    item.ReferencedROINumber = str(structure.number)
    item.RTROIInterpretedType = "" if structure.role is StructureRole.OTHER else structure.role.value
    item.ROIInterpreter = ""
    if override is not None:
        density = Dataset()
        density.ROIPhysicalProperty = "REL_MASS_DENSITY"
        density.ROIPhysicalPropertyValue = decimal(override.material.density_g_cm3, 4)
        item.ROIPhysicalPropertiesSequence = [density]
        item.MaterialID = short(override.material.name)
    return item
