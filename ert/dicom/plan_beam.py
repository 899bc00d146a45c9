"""One electron beam of an RT Plan → `ImportedBeam`, or the reason why not."""

from __future__ import annotations

import re

import attrs
from pydicom.dataset import Dataset

from ert.dicom import values
from ert.domain.device import Outline, to_outline
from ert.errors import ImportRejected
from ert.geometry.grid import Float3

_ANGLE_TOLERANCE_DEG = 0.05
_LENGTH_TOLERANCE_MM = 0.05
_SIZE = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:cm)?\s*[x×*]\s*(\d+(?:[.,]\d+)?)", re.IGNORECASE)
_SIDE = re.compile(r"(?<![\d.,])(\d+(?:[.,]\d+)?)(?![\d.,])")
_LARGEST_CM = 40.0
_ZERO_ANGLES = (
    ("TableTopEccentricAngle", "the table top is turned eccentrically by {:g}°"),
    ("TableTopPitchAngle", "the table top is pitched by {:g}°"),
    ("TableTopRollAngle", "the table top is rolled by {:g}°"),
    ("GantryPitchAngle", "the gantry is pitched by {:g}°"),
)
_STATIC = (
    "GantryAngle", "BeamLimitingDeviceAngle", "PatientSupportAngle", "NominalBeamEnergy",
    "TableTopEccentricAngle", "TableTopPitchAngle", "TableTopRollAngle", "GantryPitchAngle",
)  # fmt: skip
_DIRECTIONS = (
    "GantryRotationDirection", "BeamLimitingDeviceRotationDirection", "PatientSupportRotationDirection",
    "TableTopEccentricRotationDirection",
)  # fmt: skip


@attrs.frozen(kw_only=True)
class ImportedBlock:
    """The opening of a cutout as the plan states it.

    Attributes
    ----------
    outline_cm : polygon at the isocentre plane, beam's eye view; the closing point is dropped.
    is_divergent : True if cut along the beam's divergence, None if the file does not say.
    material, name, tray_id : may be empty.
    thickness_cm, tray_distance_cm : None if not given.
    """

    outline_cm: Outline
    is_divergent: bool | None
    material: str
    name: str
    tray_id: str
    accessory_code: str
    thickness_cm: float | None
    tray_distance_cm: float | None


@attrs.frozen(kw_only=True)
class ImportedBeam:
    """A static electron beam as the plan states it.

    Attributes
    ----------
    applicator_id, applicator_type, applicator_description, applicator_accessory_code : as written; may be empty.
    applicator_size_cm : x and y opening at the isocentre plane, from the applicator's geometry if it is given, else
        read from its id or description ("A15", "10X10", "Tubus 10x10"); None if neither tells.
    patient_position : one of eight; empty if the file does not say.
    isocentre_cm : patient, LPS.
    ssd_cm : as stated, None if not.
    block : None if the applicator is open.
    jaws_cm : x1, x2, y1, y2 at the isocentre, None if not given.
    mu : monitor units per fraction, None if not given.
    bolus_numbers : ROI numbers of the boluses on the skin for this beam.
    notes : what is worth knowing.
    """

    number: int
    name: str
    machine_name: str
    energy_mev: float
    applicator_id: str
    applicator_type: str
    applicator_description: str
    applicator_accessory_code: str
    applicator_size_cm: tuple[float, float] | None
    patient_position: str
    isocentre_cm: Float3
    gantry_deg: float
    collimator_deg: float
    couch_deg: float
    sad_cm: float
    ssd_cm: float | None
    block: ImportedBlock | None
    jaws_cm: tuple[float, float, float, float] | None
    fractions: int | None
    mu: float | None
    bolus_numbers: tuple[int, ...]
    notes: tuple[str, ...]


def read_beam(
    item: Dataset, *, number: int, name: str, patient_position: str, fractions_and_mu: tuple[int | None, float | None]
) -> ImportedBeam:
    """Read one electron beam.

    Raises
    ------
    ImportRejected
        With a sentence that goes on from "Beam 'x':", if the beam moves, is tilted, has devices that ERT does not
        compute, or lacks what is needed.
    """
    points = values.items(item, "ControlPointSequence")
    if not points:
        raise ImportRejected("it has no control points.")
    first = points[0]
    _check_static(item, points)
    _check_devices(item)
    isocentre_mm = values.numbers(first, "IsocenterPosition", 3)
    if isocentre_mm is None:
        raise ImportRejected("it has no isocentre.")
    energy_mev = values.required_number(first, "NominalBeamEnergy")
    if energy_mev <= 0:
        raise ImportRejected(f"its energy is {energy_mev:g} MeV.")
    unit = values.text(item, "PrimaryDosimeterUnit").upper()
    if unit not in ("", "MU"):
        raise ImportRejected(f"it is measured in '{unit}', not in monitor units.")
    ssd_mm = values.number(first, "SourceToSurfaceDistance")
    applicator = _applicator(item)
    fractions, mu = fractions_and_mu
    if mu is not None and mu <= 0:
        raise ImportRejected(f"its meterset is {mu:g} MU; it must be above zero.")
    x_mm, y_mm, z_mm = isocentre_mm
    return ImportedBeam(
        number=number,
        name=name,
        machine_name=values.text(item, "TreatmentMachineName"),
        energy_mev=energy_mev,
        applicator_id=values.text(applicator, "ApplicatorID"),
        applicator_type=values.text(applicator, "ApplicatorType"),
        applicator_description=values.text(applicator, "ApplicatorDescription"),
        applicator_accessory_code=values.text(applicator, "AccessoryCode"),
        applicator_size_cm=_applicator_size_cm(applicator),
        patient_position=patient_position,
        isocentre_cm=(x_mm / 10.0, y_mm / 10.0, z_mm / 10.0),
        gantry_deg=values.required_number(first, "GantryAngle"),
        collimator_deg=values.number(first, "BeamLimitingDeviceAngle") or 0.0,
        couch_deg=values.number(first, "PatientSupportAngle") or 0.0,
        sad_cm=_sad_cm(item),
        ssd_cm=None if ssd_mm is None else ssd_mm / 10.0,
        block=_block(item),
        jaws_cm=_jaws_cm(first),
        fractions=fractions,
        mu=mu,
        bolus_numbers=_bolus_numbers(item),
        notes=_notes(item),
    )


def _check_static(item: Dataset, points: list[Dataset]) -> None:
    """No rotation, no change of angle, energy or isocentre between control points, no tilted table or gantry."""
    if values.text(item, "BeamType").upper() not in ("", "STATIC"):
        raise ImportRejected("it is dynamic; ERT computes static beams only.")
    stated = values.whole(item, "NumberOfControlPoints")
    if stated is not None and stated != len(points):
        raise ImportRejected(f"it has {len(points)} control points where {stated} are announced.")
    for point in points:
        _check_same(point, points[0])
    for keyword, sentence in _ZERO_ANGLES:
        angle_deg = (values.number(points[0], keyword) or 0.0) % 360.0
        if min(angle_deg, 360.0 - angle_deg) > _ANGLE_TOLERANCE_DEG:
            raise ImportRejected(f"{sentence.format(angle_deg)}; ERT computes level tables only.")


def _check_same(point: Dataset, first: Dataset) -> None:
    """Nothing turns or changes between the first control point and this one."""
    for keyword in _DIRECTIONS:
        if values.text(point, keyword).upper() not in ("", "NONE"):
            raise ImportRejected(f"it rotates during treatment ({keyword}).")
    for keyword in _STATIC:
        here, there = values.number(point, keyword), values.number(first, keyword)
        if here is not None and abs(here - (there or 0.0)) > _ANGLE_TOLERANCE_DEG:
            raise ImportRejected(f"its {keyword} changes between control points.")
    here3, there3 = values.numbers(point, "IsocenterPosition", 3), values.numbers(first, "IsocenterPosition", 3)
    if here3 and there3 and max(abs(a - b) for a, b in zip(here3, there3, strict=True)) > _LENGTH_TOLERANCE_MM:
        raise ImportRejected("its isocentre changes between control points.")


def _check_devices(item: Dataset) -> None:
    for keyword, what in (("NumberOfWedges", "a wedge"), ("NumberOfCompensators", "a compensator")):
        if values.whole(item, keyword):
            raise ImportRejected(f"it has {what}; ERT does not compute that for electrons.")


def _sad_cm(item: Dataset) -> float:
    sad_mm = values.number(item, "SourceAxisDistance")
    if sad_mm is None or sad_mm <= 0:
        raise ImportRejected("it has no source to axis distance.")
    return sad_mm / 10.0


def _applicator(item: Dataset) -> Dataset:
    found = values.items(item, "ApplicatorSequence")
    if len(found) > 1:
        raise ImportRejected(f"it has {len(found)} applicators; one is needed.")
    return found[0] if found else Dataset()


def _applicator_size_cm(applicator: Dataset) -> tuple[float, float] | None:
    """Opening of an applicator: its geometry if given, else what its id or description says."""
    for geometry in values.items(applicator, "ApplicatorGeometrySequence"):
        opening = values.number(geometry, "ApplicatorOpening")
        if opening:
            return opening / 10.0, opening / 10.0
        x_mm, y_mm = values.number(geometry, "ApplicatorOpeningX"), values.number(geometry, "ApplicatorOpeningY")
        if x_mm and y_mm:
            return x_mm / 10.0, y_mm / 10.0
    for keyword in ("ApplicatorID", "ApplicatorDescription"):
        size = size_in_name_cm(values.text(applicator, keyword))
        if size is not None:
            return size
    return None


def size_in_name_cm(name: str) -> tuple[float, float] | None:
    """The opening that an applicator's name tells: "10X10", "6 x 10 cm", "A15", "Appl. 6"; None if it tells none."""
    pair = _SIZE.search(name)
    if pair is not None:
        sides = [float(side.replace(",", ".")) for side in pair.groups()]
    else:
        single = _SIDE.findall(name)
        if len(single) != 1:
            return None
        sides = [float(single[0].replace(",", "."))] * 2
    if max(sides) > _LARGEST_CM:
        sides = [side / 10.0 for side in sides]
    return (sides[0], sides[1]) if min(sides) > 0 and max(sides) <= _LARGEST_CM else None


def _block(item: Dataset) -> ImportedBlock | None:
    blocks = values.items(item, "BlockSequence")
    stated = values.whole(item, "NumberOfBlocks")
    if stated is not None and stated != len(blocks):
        raise ImportRejected(f"it has {len(blocks)} blocks where {stated} are announced.")
    if not blocks:
        return None
    if len(blocks) > 1:
        raise ImportRejected(f"it has {len(blocks)} blocks; ERT computes one cutout.")
    block = blocks[0]
    kind = values.text(block, "BlockType").upper()
    if kind != "APERTURE":
        raise ImportRejected(f"its block is of type '{kind}', not APERTURE.")
    flat_mm = values.coordinates(block, "BlockData")
    count = values.required_whole(block, "BlockNumberOfPoints")
    if flat_mm.size != 2 * count or count < 3:  # noqa: PLR2004
        raise ImportRejected(f"its cutout has {flat_mm.size / 2:g} points where {count} are announced.")
    divergence = values.text(block, "BlockDivergence").upper()
    thickness_mm, tray_mm = values.number(block, "BlockThickness"), values.number(block, "SourceToBlockTrayDistance")
    return ImportedBlock(
        outline_cm=to_outline(flat_mm.reshape(-1, 2) / 10.0),
        is_divergent={"PRESENT": True, "ABSENT": False}.get(divergence),
        material=values.text(block, "MaterialID"),
        name=values.text(block, "BlockName"),
        tray_id=values.text(block, "BlockTrayID"),
        accessory_code=values.text(block, "AccessoryCode"),
        thickness_cm=None if thickness_mm is None else thickness_mm / 10.0,
        tray_distance_cm=None if tray_mm is None else tray_mm / 10.0,
    )


def _jaws_cm(first: Dataset) -> tuple[float, float, float, float] | None:
    """x1, x2, y1, y2."""
    found: dict[str, tuple[float, ...]] = {}
    for device in values.items(first, "BeamLimitingDevicePositionSequence"):
        kind = values.text(device, "RTBeamLimitingDeviceType").upper()
        if kind in ("X", "ASYMX", "Y", "ASYMY"):
            positions = values.numbers(device, "LeafJawPositions", 2)
            if positions is not None:
                found[kind[-1]] = positions
    if set(found) != {"X", "Y"}:
        return None
    return found["X"][0] / 10.0, found["X"][1] / 10.0, found["Y"][0] / 10.0, found["Y"][1] / 10.0


def _bolus_numbers(item: Dataset) -> tuple[int, ...]:
    boluses = values.items(item, "ReferencedBolusSequence")
    if (values.whole(item, "NumberOfBoli") or 0) > len(boluses):
        raise ImportRejected("it has a bolus that the plan does not describe.")
    return tuple(values.required_whole(b, "ReferencedROINumber") for b in boluses)


def _notes(item: Dataset) -> tuple[str, ...]:
    notes = []
    kinds = [values.text(d, "RTBeamLimitingDeviceType") for d in values.items(item, "BeamLimitingDeviceSequence")]
    if any(k.upper().startswith("MLC") for k in kinds):
        notes.append("it states multileaf positions, which play no part in an electron dose.")
    if values.items(item, "GeneralAccessorySequence"):
        notes.append("it carries an accessory that is not part of the dose.")
    return tuple(notes)
