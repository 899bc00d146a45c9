"""DICOM studies of block phantoms, written with plain pydicom: CT, RT Structure Set, electron RT Plan.

Nothing of ``ert`` is used here, so that the program reads what another program wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from shapely.geometry import Polygon, box
from shapely.ops import unary_union

CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
STRUCT_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
PLAN_CLASS = "1.2.840.10008.5.1.4.1.1.481.5"
CURVE_HEAD = (
    "HU,mass_density_g_cm3,rel_electron_density,rel_linear_collision_stopping_power,rel_linear_scattering_power,anchor"
)
CURVE_ROWS = (
    (-1000, 0.0012, 0.0011, 0.0011, 0.0011, "air"),
    (-741, 0.26, 0.258, 0.269, 0.257, "lung"),
    (0, 1.0, 1.0, 1.0, 1.0, "water"),
    (1146, 1.85, 1.767, 1.72, 2.222, "compact bone"),
)
HU_OF = {"air": -1000, "lung": -741, "water": 0, "bone_compact": 1146}


@dataclass(frozen=True)
class Block:
    """A box of one medium: (low, high) along patient x, y, z in cm."""

    medium: str
    x_cm: tuple[float, float]
    y_cm: tuple[float, float]
    z_cm: tuple[float, float]


@dataclass(frozen=True)
class Phantom:
    """Boxes, later ones over earlier ones, air elsewhere; CT over ``extent_cm`` with voxel faces on its ends."""

    blocks: tuple[Block, ...]
    extent_cm: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
    voxel_cm: float = 0.2
    patient_id: str = "PHANTOM"
    patient_name: str = "Phantom^Box"
    frame_uid: str = field(default_factory=generate_uid)
    study_uid: str = field(default_factory=generate_uid)
    structure_uid: str = field(default_factory=generate_uid)
    patient_position: str = "HFS"


@dataclass(frozen=True)
class ElectronBeam:
    """One static electron beam; block outline at the isocentre plane, None for the open applicator."""

    energy_mev: float
    applicator_id: str
    isocentre_cm: tuple[float, float, float]
    ssd_cm: float
    gantry_deg: float = 0.0
    collimator_deg: float = 0.0
    couch_deg: float = 0.0
    block_cm: tuple[tuple[float, float], ...] | None = None
    mu: float = 100.0


def _new(sop_class: str, uid: str, modality: str, phantom: Phantom) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = sop_class, uid, modality
    data.PatientID, data.PatientName = phantom.patient_id, phantom.patient_name
    data.PatientBirthDate, data.PatientSex = "19700101", "O"
    data.StudyInstanceUID, data.FrameOfReferenceUID = phantom.study_uid, phantom.frame_uid
    data.StudyDate, data.StudyTime, data.StudyID, data.AccessionNumber = "20260101", "120000", "1", ""
    data.ReferringPhysicianName, data.Manufacturer, data.PositionReferenceIndicator = "", "phantom_study", ""
    return data


def _centres(extent_cm: tuple[float, float], voxel_cm: float) -> np.ndarray:
    count = round((extent_cm[1] - extent_cm[0]) / voxel_cm)
    return extent_cm[0] + voxel_cm * (np.arange(count) + 0.5)


def hu_volume(phantom: Phantom) -> np.ndarray:
    """CT numbers int16 [z, y, x] of the phantom."""
    x, y, z = (_centres(e, phantom.voxel_cm) for e in phantom.extent_cm)
    hu = np.full((len(z), len(y), len(x)), HU_OF["air"], dtype=np.int16)
    for block in phantom.blocks:
        ranges = [
            np.flatnonzero((c > low) & (c < high))
            for c, (low, high) in ((z, block.z_cm), (y, block.y_cm), (x, block.x_cm))
        ]
        hu[np.ix_(*ranges)] = HU_OF[block.medium]
    return hu


def write_ct(folder: Path, phantom: Phantom) -> list[tuple[str, float]]:
    """CT slices as files; returns (SOP Instance UID, z cm) of each."""
    folder.mkdir(parents=True, exist_ok=True)
    hu = hu_volume(phantom)
    x, y, z = (_centres(e, phantom.voxel_cm) for e in phantom.extent_cm)
    series_uid = generate_uid()
    slices = []
    for k, z_cm in enumerate(z.tolist()):
        uid = generate_uid()
        data = _new(CT_CLASS, uid, "CT", phantom)
        data.SeriesInstanceUID, data.SeriesNumber, data.InstanceNumber = series_uid, 1, k + 1
        data.ImageType, data.PatientPosition = ["ORIGINAL", "PRIMARY", "AXIAL"], phantom.patient_position
        data.ImagePositionPatient = [round(x[0] * 10, 4), round(y[0] * 10, 4), round(z_cm * 10, 4)]
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.SliceThickness = [phantom.voxel_cm * 10] * 2, phantom.voxel_cm * 10
        data.Rows, data.Columns = hu.shape[1:]
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 1
        data.RescaleIntercept, data.RescaleSlope, data.RescaleType, data.KVP = 0, 1, "HU", 120
        data.PixelData = hu[k].tobytes()
        data.save_as(folder / f"ct_{k:03d}.dcm", enforce_file_format=True)
        slices.append((uid, z_cm))
    return slices


def _outlines(phantom: Phantom, z_cm: float) -> list[Polygon]:
    """What is not air in a transverse plane, as polygons without holes."""
    area = Polygon()
    for block in phantom.blocks:
        if not block.z_cm[0] < z_cm < block.z_cm[1]:
            continue
        (x0, x1), (y0, y1) = block.x_cm, block.y_cm
        piece = box(x0, y0, x1, y1)
        area = area.difference(piece) if block.medium == "air" else unary_union([area, piece])
    if area.is_empty:
        return []
    polygons = list(getattr(area, "geoms", [area]))
    if any(p.interiors for p in polygons):
        raise ValueError("an air block must touch the outside of the phantom")
    return polygons


def write_structures(path: Path, phantom: Phantom, slices: Sequence[tuple[str, float]]) -> None:
    """An RT Structure Set with the phantom's outline as EXTERNAL."""
    data = _new(STRUCT_CLASS, phantom.structure_uid, "RTSTRUCT", phantom)
    data.SeriesInstanceUID, data.SeriesNumber, data.InstanceNumber = generate_uid(), 2, 1
    data.StructureSetLabel, data.StructureSetDate, data.StructureSetTime = "PHANTOM", "20260101", "120000"
    roi = Dataset()
    roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = 1, "BODY", "AUTOMATIC"
    roi.ReferencedFrameOfReferenceUID = phantom.frame_uid
    data.StructureSetROISequence = DicomSequence([roi])
    items = []
    for uid, z_cm in slices:
        for polygon in _outlines(phantom, z_cm):
            points = np.asarray(polygon.exterior.coords)[:-1]
            item, image = Dataset(), Dataset()
            image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = CT_CLASS, uid
            item.ContourImageSequence = DicomSequence([image])
            item.ContourGeometricType, item.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
            item.ContourData = [f"{v:.4f}" for x, y in points * 10 for v in (x, y, z_cm * 10)]
            items.append(item)
    contour = Dataset()
    contour.ROIDisplayColor, contour.ReferencedROINumber = [0, 255, 0], 1
    contour.ContourSequence = DicomSequence(items)
    data.ROIContourSequence = DicomSequence([contour])
    seen = Dataset()
    seen.ObservationNumber, seen.ReferencedROINumber = 1, 1
    seen.RTROIInterpretedType, seen.ROIInterpreter = "EXTERNAL", ""
    data.RTROIObservationsSequence = DicomSequence([seen])
    data.save_as(path, enforce_file_format=True)


def _block(outline_cm: tuple[tuple[float, float], ...]) -> Dataset:
    block = Dataset()
    block.BlockTrayID, block.SourceToBlockTrayDistance, block.BlockType = "T1", 950, "APERTURE"
    block.BlockDivergence, block.BlockMountingPosition = "ABSENT", "SOURCE_SIDE"
    block.BlockNumber, block.MaterialID, block.BlockThickness = 1, "Cerrobend", 15
    block.BlockNumberOfPoints = len(outline_cm)
    block.BlockData = [f"{v * 10:.3f}" for point in outline_cm for v in point]
    return block


def _beam(number: int, beam: ElectronBeam, machine_name: str) -> Dataset:
    data = Dataset()
    data.Manufacturer, data.BeamNumber, data.BeamName = "phantom_study", number, f"Beam {number}"
    data.BeamType, data.RadiationType, data.TreatmentDeliveryType = "STATIC", "ELECTRON", "TREATMENT"
    data.TreatmentMachineName, data.PrimaryDosimeterUnit, data.SourceAxisDistance = machine_name, "MU", 1000
    jaws = []
    for kind in ("ASYMX", "ASYMY"):
        jaw = Dataset()
        jaw.RTBeamLimitingDeviceType, jaw.NumberOfLeafJawPairs = kind, 1
        jaws.append(jaw)
    data.BeamLimitingDeviceSequence = DicomSequence(jaws)
    data.NumberOfWedges = data.NumberOfCompensators = data.NumberOfBoli = 0
    applicator = Dataset()
    applicator.ApplicatorID, applicator.ApplicatorType = beam.applicator_id, "ELECTRON_SQUARE"
    data.ApplicatorSequence = DicomSequence([applicator])
    data.NumberOfBlocks = 0 if beam.block_cm is None else 1
    if beam.block_cm is not None:
        data.BlockSequence = DicomSequence([_block(beam.block_cm)])
    data.FinalCumulativeMetersetWeight, data.NumberOfControlPoints = 1, 2
    first, last = Dataset(), Dataset()
    first.ControlPointIndex, first.CumulativeMetersetWeight = 0, 0
    first.NominalBeamEnergy, first.GantryAngle, first.GantryRotationDirection = beam.energy_mev, beam.gantry_deg, "NONE"
    first.BeamLimitingDeviceAngle, first.BeamLimitingDeviceRotationDirection = beam.collimator_deg, "NONE"
    first.PatientSupportAngle, first.PatientSupportRotationDirection = beam.couch_deg, "NONE"
    first.TableTopEccentricAngle, first.TableTopEccentricRotationDirection = 0, "NONE"
    first.IsocenterPosition = [f"{v * 10:.3f}" for v in beam.isocentre_cm]
    first.SourceToSurfaceDistance = f"{beam.ssd_cm * 10:.2f}"
    positions = []
    for kind in ("ASYMX", "ASYMY"):
        position = Dataset()
        position.RTBeamLimitingDeviceType, position.LeafJawPositions = kind, [-100, 100]
        positions.append(position)
    first.BeamLimitingDevicePositionSequence = DicomSequence(positions)
    last.ControlPointIndex, last.CumulativeMetersetWeight = 1, 1
    data.ControlPointSequence = DicomSequence([first, last])
    data.ReferencedPatientSetupNumber = 1
    return data


def write_plan(
    path: Path, phantom: Phantom, beams: Sequence[ElectronBeam], *, fractions: int = 1, machine_name: str = "LINAC"
) -> None:
    """An electron RT Plan on the phantom."""
    data = _new(PLAN_CLASS, generate_uid(), "RTPLAN", phantom)
    data.SeriesInstanceUID, data.SeriesNumber, data.InstanceNumber = generate_uid(), 3, 1
    data.RTPlanLabel, data.RTPlanDate, data.RTPlanTime, data.RTPlanGeometry = "REF", "20260101", "120000", "PATIENT"
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = STRUCT_CLASS, phantom.structure_uid
    data.ReferencedStructureSetSequence = DicomSequence([reference])
    group = Dataset()
    group.FractionGroupNumber, group.NumberOfFractionsPlanned = 1, fractions
    group.NumberOfBeams, group.NumberOfBrachyApplicationSetups = len(beams), 0
    items = []
    for number, beam in enumerate(beams, start=1):
        item = Dataset()
        item.ReferencedBeamNumber, item.BeamMeterset = number, beam.mu
        items.append(item)
    group.ReferencedBeamSequence = DicomSequence(items)
    data.FractionGroupSequence = DicomSequence([group])
    data.BeamSequence = DicomSequence([_beam(n, b, machine_name) for n, b in enumerate(beams, start=1)])
    setup = Dataset()
    setup.PatientSetupNumber, setup.PatientPosition = 1, phantom.patient_position
    data.PatientSetupSequence = DicomSequence([setup])
    data.ApprovalStatus = "UNAPPROVED"
    data.save_as(path, enforce_file_format=True)


def write_curve(path: Path) -> None:
    """The CT curve that turns the phantom's CT numbers back into its media."""
    rows = [",".join(str(value) for value in row) for row in CURVE_ROWS]
    path.write_text("\n".join([CURVE_HEAD, *rows]) + "\n", encoding="utf-8")


def read_dose(path: Path) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Gy [z, y, x] of an RT Dose, and the coordinates of its voxel centres along patient x, y, z in cm."""
    data = pydicom.dcmread(path)
    if [float(v) for v in data.ImageOrientationPatient] != [1, 0, 0, 0, 1, 0] or data.DoseUnits != "GY":
        raise ValueError(f"{path}: not an axial dose in Gy")
    x0, y0, z0 = (float(v) / 10 for v in data.ImagePositionPatient)
    row_cm, column_cm = (float(v) / 10 for v in data.PixelSpacing)
    dose = data.pixel_array.astype(np.float64) * float(data.DoseGridScaling)
    z = z0 + np.asarray([float(v) for v in data.GridFrameOffsetVector]) / 10
    return dose, (x0 + column_cm * np.arange(data.Columns), y0 + row_cm * np.arange(data.Rows), z)
