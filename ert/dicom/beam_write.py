"""One `Beam` → an item of the Beam Sequence (DICOM PS3.3 C.8.8.14)."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from ert.dicom.attributes import decimal, decimals, long, short
from ert.domain.beam import Beam
from ert.domain.device import ApertureSource
from ert.domain.machine import Applicator, Machine
from ert.errors import ExportRejected

_ANGLE_DIGITS = 4
_MM_DIGITS = 3
OUTLINE_DIGITS = 2
"""Block Data is rounded to 0.01 mm at the isocentre plane."""
_UNMOVED = ("Gantry", "BeamLimitingDevice", "PatientSupport", "TableTopEccentric")
_MAX_SH = 16


def beam_item(beam: Beam, machine: Machine, bolus_numbers: tuple[int, ...]) -> Dataset:
    """The beam as DICOM: applicator, cutout at the isocentre plane, jaws, two control points.

    Raises
    ------
    ExportRejected
        If the beam has no SSD, the machine lacks the applicator, or a name does not fit.
    """
    applicator = machine.applicator(beam.applicator_id)
    item = Dataset()
    item.BeamNumber, item.BeamName = str(beam.number), long(beam.name)
    item.BeamType, item.RadiationType = "STATIC", "ELECTRON"
    item.TreatmentDeliveryType = "TREATMENT"
    item.TreatmentMachineName = _exact(machine.name, f"Machine name '{machine.name}'")
    item.PrimaryDosimeterUnit = "MU"
    item.SourceAxisDistance = decimal(10.0 * machine.sad_cm, _MM_DIGITS)
    fluence = Dataset()
    fluence.FluenceMode = "STANDARD"
    item.PrimaryFluenceModeSequence = [fluence]
    item.BeamLimitingDeviceSequence = [_jaw_device("ASYMX"), _jaw_device("ASYMY")]
    item.NumberOfWedges = item.NumberOfCompensators = "0"
    item.NumberOfBoli = str(len(bolus_numbers))
    if bolus_numbers:
        item.ReferencedBolusSequence = [_bolus_reference(number) for number in bolus_numbers]
    has_block = beam.aperture.source is not ApertureSource.OPEN
    item.NumberOfBlocks = "1" if has_block else "0"
    if has_block:
        item.BlockSequence = [_block(beam, machine)]
    item.ApplicatorSequence = [_applicator(applicator)]
    item.FinalCumulativeMetersetWeight = "1"
    item.NumberOfControlPoints = "2"
    item.ControlPointSequence = [_first_point(beam, applicator), _last_point()]
    item.ReferencedPatientSetupNumber = "1"
    return item


def _exact(value: str, what: str) -> str:
    """A name that the record-and-verify system must find unchanged."""
    if not value or len(value) > _MAX_SH or short(value) != value:
        raise ExportRejected(
            f"{what} does not fit DICOM: 1 to {_MAX_SH} printable characters without a backslash.",
            hint="Name it in the machine package as the record-and-verify system does.",
        )
    return value


def jaw_openings_cm(applicator: Applicator) -> tuple[float, float]:
    """Full jaw openings x, y; the applicator's own opening where the machine package states no jaw setting."""
    return applicator.jaw_x_cm or applicator.opening_x_cm, applicator.jaw_y_cm or applicator.opening_y_cm


def _jaw_device(kind: str) -> Dataset:
    device = Dataset()
    device.RTBeamLimitingDeviceType = kind
    device.NumberOfLeafJawPairs = "1"
    return device


def _jaw_position(kind: str, opening_cm: float) -> Dataset:
    position = Dataset()
    position.RTBeamLimitingDeviceType = kind
    position.LeafJawPositions = decimals((-5.0 * opening_cm, 5.0 * opening_cm), _MM_DIGITS)
    return position


def _bolus_reference(number: int) -> Dataset:
    reference = Dataset()
    reference.ReferencedROINumber = str(number)
    return reference


def _block(beam: Beam, machine: Machine) -> Dataset:
    """The cutout: a straight-walled insert whose downstream face is at the machine's insert distance."""
    outline_mm = 10.0 * np.asarray(beam.aperture.outline_cm)
    block = Dataset()
    block.MaterialID = short(beam.aperture.material) or "unknown"
    block.BlockTrayID = ""
    block.SourceToBlockTrayDistance = decimal(10.0 * machine.insert_distance_cm, _MM_DIGITS)
    block.BlockType = "APERTURE"
    block.BlockDivergence = "ABSENT"
    block.BlockMountingPosition = "SOURCE_SIDE"
    block.BlockNumber = "1"
    block.BlockName = long(f"{beam.name} cutout")
    block.BlockThickness = decimal(10.0 * beam.aperture.thickness_cm, _MM_DIGITS)
    block.BlockNumberOfPoints = str(len(outline_mm))
    block.BlockData = decimals(outline_mm.ravel(), OUTLINE_DIGITS)
    return block


def _applicator(applicator: Applicator) -> Dataset:
    is_square = applicator.opening_x_cm == applicator.opening_y_cm
    item = Dataset()
    item.ApplicatorID = _exact(applicator.id, f"Applicator id '{applicator.id}'")
    item.ApplicatorType = "ELECTRON_SQUARE" if is_square else "ELECTRON_RECT"
    x_mm, y_mm = 10.0 * applicator.opening_x_cm, 10.0 * applicator.opening_y_cm
    item.ApplicatorDescription = f"{x_mm / 10:g} x {y_mm / 10:g} cm at the isocentre"
    geometry = Dataset()
    geometry.ApplicatorApertureShape = "SYM_SQUARE" if is_square else "SYM_RECTANGLE"
    if is_square:
        geometry.ApplicatorOpening = x_mm
    else:
        geometry.ApplicatorOpeningX, geometry.ApplicatorOpeningY = x_mm, y_mm
    item.ApplicatorGeometrySequence = [geometry]
    return item


def _first_point(beam: Beam, applicator: Applicator) -> Dataset:
    if beam.ssd_cm is None:
        raise ExportRejected(
            f"Beam '{beam.name}' has no SSD.", hint="It needs an external contour on its central axis."
        )
    jaw_x_cm, jaw_y_cm = jaw_openings_cm(applicator)
    point = Dataset()
    point.ControlPointIndex = "0"
    point.CumulativeMetersetWeight = "0"
    point.NominalBeamEnergy = decimal(beam.energy_mev, 3)
    point.BeamLimitingDevicePositionSequence = [_jaw_position("ASYMX", jaw_x_cm), _jaw_position("ASYMY", jaw_y_cm)]
    point.GantryAngle = _angle(beam.gantry_deg)
    point.BeamLimitingDeviceAngle = _angle(beam.collimator_deg)
    point.PatientSupportAngle = _angle(beam.couch_deg)
    point.TableTopEccentricAngle = "0"
    for part in _UNMOVED:
        setattr(point, f"{part}RotationDirection", "NONE")
    point.TableTopPitchAngle = point.TableTopRollAngle = 0.0
    point.TableTopPitchRotationDirection = point.TableTopRollRotationDirection = "NONE"
    point.TableTopVerticalPosition = point.TableTopLongitudinalPosition = point.TableTopLateralPosition = None
    point.IsocenterPosition = decimals(10.0 * np.asarray(beam.isocentre_cm), _MM_DIGITS)
    point.SourceToSurfaceDistance = decimal(10.0 * beam.ssd_cm, _MM_DIGITS)
    return point


def _angle(angle_deg: float) -> str:
    """0 ≤ angle < 360 after rounding."""
    written = decimal(angle_deg % 360.0, _ANGLE_DIGITS)
    return "0" if float(written) >= 360.0 else written  # noqa: PLR2004


def _last_point() -> Dataset:
    point = Dataset()
    point.ControlPointIndex = "1"
    point.CumulativeMetersetWeight = "1"
    return point
