"""What a physicist configures of a machine beside its beam models: scale, limits, applicator bodies, jaws, materials.

Nothing here enters a dose. All lengths are at the isocentre plane or distances from the source; angles are IEC 61217.
"""

from __future__ import annotations

import math

import attrs

from ert.domain.angle_scale import AngleScale, Jaws
from ert.domain.identity import ADDED_LATER
from ert.domain.monitor_units import ActionLevels
from ert.errors import Refused

DEFAULT_CLEARANCE_CM = 1.0
_TURN_DEG, _TOLERANCE_DEG, _LARGEST_CM = 360.0, 1e-6, 200.0
_HEAVIEST_G_CM3, _LARGEST_JAW_CM = 25.0, 25.0
_MAX_NAME, _MAX_SERIAL = 16, 64


def _require(is_right: bool, sentence: str, hint: str = "Correct the machine's configuration.") -> None:  # noqa: FBT001
    if not is_right:
        raise Refused(sentence, hint=hint)


def _is_length(value: float, largest_cm: float = _LARGEST_CM) -> bool:
    return math.isfinite(value) and 0 < value <= largest_cm


def _signed(value: float) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def _tuple_field() -> tuple[()]:
    field: tuple[()] = attrs.field(validator=attrs.validators.instance_of(tuple), factory=tuple)
    return field


@attrs.frozen(kw_only=True)
class AngleRange:
    """Angles that can be set: rising from ``from_deg`` to ``to_deg``, through 0° if the first is negative.

    Both within −360° … 360°; at most one turn apart. −180 … 180 allows every angle.
    """

    from_deg: float = -180.0
    to_deg: float = 180.0

    def __attrs_post_init__(self) -> None:
        is_right = all(math.isfinite(a) and abs(a) <= _TURN_DEG for a in (self.from_deg, self.to_deg))
        _require(
            is_right and 0 <= self.to_deg - self.from_deg <= _TURN_DEG,
            f"{_signed(self.from_deg)}° to {_signed(self.to_deg)}° is no range of angles: it must rise by up to 360°.",
            "Write a range through 0° with a negative first angle, for example −95 to 95.",
        )

    def holds(self, angle_deg: float) -> bool:
        """Whether an angle, of any turn, can be set."""
        above_deg = math.fmod(angle_deg - self.from_deg, _TURN_DEG)
        above_deg += _TURN_DEG if above_deg < 0 else 0.0
        span_deg = self.to_deg - self.from_deg
        return above_deg <= span_deg + _TOLERANCE_DEG or above_deg >= _TURN_DEG - _TOLERANCE_DEG

    @property
    def is_full(self) -> bool:
        """Whether every angle can be set."""
        return self.to_deg - self.from_deg >= _TURN_DEG

    @property
    def text(self) -> str:
        """For screens and sentences."""
        if self.is_full:
            return "all angles"
        return f"{_signed(self.from_deg)}° to {_signed(self.to_deg)}°"


@attrs.frozen(kw_only=True)
class ApplicatorSetting:
    """What is known of an applicator beside its opening.

    Attributes
    ----------
    applicator_id : of the machine's applicators.
    width_cm, height_cm : outer box along bev x and y; None where it was not measured.
    face_distance_cm : source to the lowest face of anything that turns with the applicator.
    energies_mev : energies it may be used with; empty for all.
    is_available : False keeps it out of new plans.
    accessory_code, tray_id, block_accessory_code : as the record-and-verify system knows applicator and cutout.
    """

    applicator_id: str
    width_cm: float | None = None
    height_cm: float | None = None
    face_distance_cm: float | None = None
    energies_mev: tuple[float, ...] = attrs.field(validator=attrs.validators.instance_of(tuple), factory=tuple)
    is_available: bool = True
    accessory_code: str = ""
    tray_id: str = ""
    block_accessory_code: str = ""

    def __attrs_post_init__(self) -> None:
        box = (self.width_cm, self.height_cm, self.face_distance_cm)
        where = f"Applicator '{self.applicator_id}'"
        _require(
            all(v is None for v in box) or all(v is not None and _is_length(v) for v in box),
            f"{where}: width, height and face distance must all be positive lengths, or all be left out.",
        )
        _require(len(self.tray_id) <= _MAX_NAME, f"{where}: the tray id '{self.tray_id}' is longer than 16 characters.")

    @property
    def box_cm(self) -> tuple[float, float, float] | None:
        """Width, height, face distance; None where the box was not measured."""
        if self.width_cm is None or self.height_cm is None or self.face_distance_cm is None:
            return None
        return self.width_cm, self.height_cm, self.face_distance_cm


@attrs.frozen(kw_only=True)
class JawSetting:
    """Jaw positions behind an applicator, IEC 61217 coordinates at the isocentre plane (X1 and Y1 usually negative).

    ``energy_mev`` None stands for every energy without a setting of its own.
    """

    applicator_id: str
    energy_mev: float | None = None
    x1_cm: float
    x2_cm: float
    y1_cm: float
    y2_cm: float

    def __attrs_post_init__(self) -> None:
        for name, low_cm, high_cm in (("X", self.x1_cm, self.x2_cm), ("Y", self.y1_cm, self.y2_cm)):
            is_right = all(math.isfinite(v) and abs(v) <= _LARGEST_JAW_CM for v in (low_cm, high_cm))
            _require(
                is_right and low_cm < high_cm,
                f"Applicator '{self.applicator_id}': {name}1 {low_cm:g} and {name}2 {high_cm:g} cm are no jaw opening.",
                f"IEC 61217: {name}1 is the lower position, usually negative; within ±{_LARGEST_JAW_CM:g} cm.",
            )

    @property
    def positions_cm(self) -> Jaws:
        """X1, X2, Y1, Y2."""
        return self.x1_cm, self.x2_cm, self.y1_cm, self.y2_cm


@attrs.frozen(kw_only=True)
class BlockMaterial:
    """What cutouts are made of, and how thick."""

    name: str
    density_g_cm3: float
    thickness_cm: float

    def __attrs_post_init__(self) -> None:
        _require(bool(self.name.strip()), "A block material needs a name.")
        _require(
            _is_length(self.density_g_cm3, _HEAVIEST_G_CM3),
            f"Block material '{self.name}': {self.density_g_cm3:g} g/cm³ is no density of a solid.",
        )
        _require(
            _is_length(self.thickness_cm, 20.0),
            f"Block material '{self.name}': {self.thickness_cm:g} cm is no thickness of a cutout.",
        )


@attrs.frozen(kw_only=True)
class HeadCylinder:
    """The collimator head: a cylinder about the beam axis that ends at a distance from the source."""

    radius_cm: float
    face_distance_cm: float

    def __attrs_post_init__(self) -> None:
        _require(
            _is_length(self.radius_cm) and _is_length(self.face_distance_cm),
            "The collimator head needs a radius and a face distance above 0 cm.",
        )


@attrs.frozen(kw_only=True)
class MachineConfiguration:
    """The part of a machine that can be changed without commissioning.

    Attributes
    ----------
    revision : counts the configurations of a machine at a site; 0 as commissioned.
    treatment_machine_name : as the record-and-verify system knows it; empty where it is the machine's name.
    manufacturer, model_name, serial_number : written to RT Plan.
    scale : of the room's displays; plans stay IEC 61217.
    gantry, collimator, couch : angles that can be set, IEC 61217.
    ssd_min_cm, ssd_max_cm, min_mu, max_mu : of one beam; None where there is no limit.
    clearance_cm : wanted between patient and applicator.
    applicators, jaws, block_materials, head : see there; empty or None where not known.
    tray_distance_cm : source to block tray; None where it is the insert's downstream face.
    has_symmetric_jaws : jaws of a pair move together only.
    mu_levels : from which differences on the hand check of monitor units asks for something.
    """

    revision: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    treatment_machine_name: str = ""
    manufacturer: str = ""
    model_name: str = ""
    serial_number: str = ""
    scale: AngleScale = AngleScale.IEC_61217
    gantry: AngleRange = attrs.field(factory=AngleRange)
    collimator: AngleRange = attrs.field(factory=AngleRange)
    couch: AngleRange = attrs.field(factory=AngleRange)
    ssd_min_cm: float | None = None
    ssd_max_cm: float | None = None
    min_mu: float | None = None
    max_mu: float | None = None
    clearance_cm: float = DEFAULT_CLEARANCE_CM
    applicators: tuple[ApplicatorSetting, ...] = _tuple_field()
    jaws: tuple[JawSetting, ...] = _tuple_field()
    has_symmetric_jaws: bool = False
    block_materials: tuple[BlockMaterial, ...] = _tuple_field()
    tray_distance_cm: float | None = None
    head: HeadCylinder | None = None
    mu_levels: ActionLevels = attrs.field(factory=ActionLevels, metadata=ADDED_LATER)

    def __attrs_post_init__(self) -> None:
        _require(
            len(self.treatment_machine_name) <= _MAX_NAME,
            f"The treatment machine name '{self.treatment_machine_name}' is longer than 16 characters.",
            "DICOM has no room for more; use the name in the record-and-verify system.",
        )
        texts = (self.treatment_machine_name, self.manufacturer, self.model_name, self.serial_number)
        for text in texts:
            is_right = text.isprintable() and "\\" not in text and len(text) <= _MAX_SERIAL
            _require(is_right, f"'{text}' must be at most 64 printable characters without a backslash.")
        _require_range("SSD", self.ssd_min_cm, self.ssd_max_cm, "cm")
        _require_range("Monitor units", self.min_mu, self.max_mu, "MU")
        _require(
            math.isfinite(self.clearance_cm) and 0 <= self.clearance_cm <= 20.0,  # noqa: PLR2004
            f"A clearance of {self.clearance_cm:g} cm makes no sense: it must be 0 to 20 cm.",
        )
        if self.tray_distance_cm is not None:
            _require(_is_length(self.tray_distance_cm), f"Tray distance {self.tray_distance_cm:g} cm makes no sense.")
        self._require_different()
        self._require_symmetric()

    def _require_different(self) -> None:
        lists: tuple[tuple[str, list[object]], ...] = (
            ("setting for applicator", [a.applicator_id for a in self.applicators]),
            ("jaw setting for applicator and energy", [(j.applicator_id, j.energy_mev) for j in self.jaws]),
            ("block material", [m.name.casefold() for m in self.block_materials]),
        )
        for what, keys in lists:
            double = next((k for k in keys if keys.count(k) > 1), None)
            _require(double is None, f"There are two entries of {what} {double!r}.", "Remove one of them.")

    def _require_symmetric(self) -> None:
        for jaw in self.jaws if self.has_symmetric_jaws else ():
            _require(
                jaw.x1_cm == -jaw.x2_cm and jaw.y1_cm == -jaw.y2_cm,
                f"The jaws of this machine are symmetric, but those of applicator '{jaw.applicator_id}' are not.",
            )

    def applicator(self, applicator_id: str) -> ApplicatorSetting:
        """The setting of an applicator; one that knows nothing if there is none."""
        found = next((a for a in self.applicators if a.applicator_id == applicator_id), None)
        return found or ApplicatorSetting(applicator_id=applicator_id)

    def jaws_for(self, applicator_id: str, energy_mev: float) -> JawSetting | None:
        """Jaws of an applicator at an energy, else those for all its energies, else None."""
        own = [j for j in self.jaws if j.applicator_id == applicator_id]
        exact = next((j for j in own if j.energy_mev == energy_mev), None)
        return exact or next((j for j in own if j.energy_mev is None), None)


def _require_range(what: str, low: float | None, high: float | None, unit: str) -> None:
    for value in (low, high):
        if value is not None:
            _require(math.isfinite(value) and value > 0, f"{what}: a limit of {value:g} {unit} makes no sense.")
    if low is not None and high is not None:
        _require(low < high, f"{what}: {low:g} to {high:g} {unit} is no range.")
