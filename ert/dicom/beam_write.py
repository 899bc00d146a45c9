"""One `Beam` → an item of the Beam Sequence (DICOM PS3.3 C.8.8.14).

Jaws: each pair as ASYMX and ASYMY with both positions, as the machine's configuration has them for applicator and
energy; X and Y for a machine whose jaws move together only. IEC 61217 coordinates at the isocentre plane.
"""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from ert.dicom.attributes import decimal, decimals, long, short
from ert.domain.angle_scale import Jaws
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
    item.TreatmentMachineName = _exact(machine.treatment_name, f"Machine name '{machine.treatment_name}'")
    _describe_machine(item, machine)
    item.PrimaryDosimeterUnit = "MU"
    item.SourceAxisDistance = decimal(10.0 * machine.sad_cm, _MM_DIGITS)
    fluence = Dataset()
    fluence.FluenceMode = "STANDARD"
    item.PrimaryFluenceModeSequence = [fluence]
    item.BeamLimitingDeviceSequence = [_jaw_device(kind) for kind in jaw_kinds(machine)]
    item.NumberOfWedges = item.NumberOfCompensators = "0"
    item.NumberOfBoli = str(len(bolus_numbers))
    if bolus_numbers:
        item.ReferencedBolusSequence = [_bolus_reference(number) for number in bolus_numbers]
    has_block = beam.aperture.source is not ApertureSource.OPEN
    item.NumberOfBlocks = "1" if has_block else "0"
    if has_block:
        item.BlockSequence = [_block(beam, machine)]
    item.ApplicatorSequence = [_applicator(applicator, machine)]
    item.FinalCumulativeMetersetWeight = "1"
    item.NumberOfControlPoints = "2"
    item.ControlPointSequence = [_first_point(beam, machine), _last_point()]
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


def _describe_machine(item: Dataset, machine: Machine) -> None:
    """Manufacturer, model and serial number of the equipment that delivers the beam, as far as they are configured."""
    configuration = machine.configuration
    for keyword, value in (
        ("Manufacturer", configuration.manufacturer),
        ("ManufacturerModelName", configuration.model_name),
        ("DeviceSerialNumber", configuration.serial_number),
    ):
        if value:
            setattr(item, keyword, long(value))


def jaw_kinds(machine: Machine) -> tuple[str, str]:
    """RT Beam Limiting Device Types of the two jaw pairs."""
    return ("X", "Y") if machine.configuration.has_symmetric_jaws else ("ASYMX", "ASYMY")


def jaw_positions_cm(beam: Beam, machine: Machine) -> Jaws:
    """X1, X2, Y1, Y2; the applicator's own opening where the machine states no jaw setting."""
    stated = machine.jaws_cm(beam.applicator_id, beam.energy_mev)
    if stated is not None:
        return stated
    applicator = machine.applicator(beam.applicator_id)
    half_x, half_y = applicator.opening_x_cm / 2, applicator.opening_y_cm / 2
    return -half_x, half_x, -half_y, half_y


def _jaw_device(kind: str) -> Dataset:
    device = Dataset()
    device.RTBeamLimitingDeviceType = kind
    device.NumberOfLeafJawPairs = "1"
    return device


def _jaw_position(kind: str, low_cm: float, high_cm: float) -> Dataset:
    position = Dataset()
    position.RTBeamLimitingDeviceType = kind
    position.LeafJawPositions = decimals((10.0 * low_cm, 10.0 * high_cm), _MM_DIGITS)
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
    setting = machine.configuration.applicator(beam.applicator_id)
    block.BlockTrayID = _exact(setting.tray_id, f"Tray id '{setting.tray_id}'") if setting.tray_id else ""
    if setting.block_accessory_code:
        block.AccessoryCode = long(setting.block_accessory_code)
    tray_cm = machine.configuration.tray_distance_cm or machine.insert_distance_cm
    block.SourceToBlockTrayDistance = decimal(10.0 * tray_cm, _MM_DIGITS)
    block.BlockType = "APERTURE"
    block.BlockDivergence = "ABSENT"
    block.BlockMountingPosition = "SOURCE_SIDE"
    block.BlockNumber = "1"
    block.BlockName = long(f"{beam.name} cutout")
    block.BlockThickness = decimal(10.0 * beam.aperture.thickness_cm, _MM_DIGITS)
    block.BlockNumberOfPoints = str(len(outline_mm))
    block.BlockData = decimals(outline_mm.ravel(), OUTLINE_DIGITS)
    return block


def _applicator(applicator: Applicator, machine: Machine) -> Dataset:
    is_square = applicator.opening_x_cm == applicator.opening_y_cm
    item = Dataset()
    item.ApplicatorID = _exact(applicator.id, f"Applicator id '{applicator.id}'")
    code = machine.configuration.applicator(applicator.id).accessory_code
    if code:
        item.AccessoryCode = long(code)
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


def _first_point(beam: Beam, machine: Machine) -> Dataset:
    if beam.ssd_cm is None:
        raise ExportRejected(
            f"Beam '{beam.name}' has no SSD.", hint="It needs an external contour on its central axis."
        )
    x1_cm, x2_cm, y1_cm, y2_cm = jaw_positions_cm(beam, machine)
    kind_x, kind_y = jaw_kinds(machine)
    point = Dataset()
    point.ControlPointIndex = "0"
    point.CumulativeMetersetWeight = "0"
    point.NominalBeamEnergy = decimal(beam.energy_mev, 3)
    point.BeamLimitingDevicePositionSequence = [
        _jaw_position(kind_x, x1_cm, x2_cm),
        _jaw_position(kind_y, y1_cm, y2_cm),
    ]
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
