"""Structures as contoured, and points."""

from __future__ import annotations

import enum
import functools

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.domain.identity import digest_of, new_id, read_only
from ert.errors import InvalidPlan, Refused
from ert.geometry.grid import Float3


class StructureRole(enum.StrEnum):
    """What a structure is to the planner; from RT ROI Interpreted Type (3006,00A4), editable."""

    EXTERNAL = "EXTERNAL"
    PTV = "PTV"
    CTV = "CTV"
    GTV = "GTV"
    ORGAN = "ORGAN"
    AVOIDANCE = "AVOIDANCE"
    BOLUS = "BOLUS"
    SUPPORT = "SUPPORT"
    CONTROL = "CONTROL"
    OTHER = ""

    @property
    def is_target(self) -> bool:
        """True for PTV, CTV and GTV."""
        return self in (StructureRole.PTV, StructureRole.CTV, StructureRole.GTV)


def _points(value: ArrayLike) -> NDArray[np.float64]:
    array = np.array(value, dtype=np.float64).reshape(-1, 3)
    if not np.all(np.isfinite(array)):
        raise Refused("A contour has a coordinate that is not a finite number.")
    return read_only(array)


@attrs.frozen(kw_only=True)
class Contour:
    """One closed planar polygon, float64 (n, 3) points in the patient, cm; the first point is not repeated."""

    points_cm: NDArray[np.float64] = attrs.field(converter=_points, eq=attrs.cmp_using(eq=np.array_equal))


@attrs.frozen(kw_only=True)
class Structure:
    """A region of interest.

    Several contours on one plane combine by exclusive or (holes, and keyholes, as DICOM CLOSED_PLANAR and XOR).

    Attributes
    ----------
    number : DICOM ROI Number, unique in its set.
    name : as it arrived.
    role : `StructureRole`.
    colour : 0–255 red, green, blue; as it arrived.
    contours : may be empty: an empty structure is kept.
    points : isolated points (contour type POINT), patient, cm.
    """

    number: int
    name: str
    role: StructureRole
    colour: tuple[int, int, int] = (255, 0, 0)
    contours: tuple[Contour, ...] = attrs.field(
        validator=attrs.validators.instance_of(tuple), factory=tuple, repr=False
    )
    points: tuple[Float3, ...] = attrs.field(validator=attrs.validators.instance_of(tuple), factory=tuple)

    @property
    def is_empty(self) -> bool:
        """True if nothing was contoured."""
        return not self.contours

    @functools.cached_property
    def shape_digest(self) -> str:
        """Digest of the contours only: what the dose depends on. Name, role and colour do not count."""
        return digest_of(self.contours)


@attrs.frozen(kw_only=True)
class StructureSet:
    """The structures drawn on one image.

    Raises
    ------
    Refused
        If two structures share a number.
    """

    id: str = attrs.field(factory=new_id)
    label: str
    frame_of_reference_uid: str
    sop_instance_uid: str
    series_instance_uid: str = ""
    structures: tuple[Structure, ...] = attrs.field(validator=attrs.validators.instance_of(tuple))

    def __attrs_post_init__(self) -> None:
        numbers = [s.number for s in self.structures]
        if len(set(numbers)) != len(numbers):
            raise Refused(f"Structure set '{self.label}' has two structures with the same number.")

    def structure(self, number: int) -> Structure:
        """The structure of that number; `Refused` if there is none."""
        for structure in self.structures:
            if structure.number == number:
                return structure
        raise Refused(f"Structure set '{self.label}' has no structure number {number}.")

    def named(self, name: str) -> Structure:
        """The structure of that name; `Refused` if there is none or more than one."""
        found = [s for s in self.structures if s.name == name]
        if len(found) != 1:
            raise Refused(
                f"Structure set '{self.label}' has {len(found) or 'no'} structures named '{name}'; one is needed."
            )
        return found[0]

    @property
    def external(self) -> Structure | None:
        """The one structure of role EXTERNAL that has contours; None if there is none, or more than one."""
        found = [s for s in self.structures if s.role is StructureRole.EXTERNAL and not s.is_empty]
        return found[0] if len(found) == 1 else None


class PointKind(enum.StrEnum):
    """What a point is for."""

    REFERENCE = "REFERENCE"
    LOCALIZATION = "LOCALIZATION"
    INTEREST = "INTEREST"


@attrs.frozen(kw_only=True)
class PointOfInterest:
    """A labelled point in the patient, cm."""

    id: str = attrs.field(factory=new_id)
    name: str
    position_cm: Float3
    kind: PointKind = PointKind.INTEREST


def chosen_external(structures: StructureSet, number: int | None) -> Structure:
    """The patient's outline: the structure of that number, else the only one of type EXTERNAL.

    Raises
    ------
    InvalidPlan
        No number was chosen, and not exactly one structure is of type EXTERNAL.
    """
    if number is not None:
        return structures.structure(number)
    external = structures.external
    if external is None:
        candidates = [s.name for s in structures.structures if s.role is StructureRole.EXTERNAL]
        raise InvalidPlan(
            "It cannot be told which structure is the patient's outline: "
            + (f"{', '.join(candidates)} all are EXTERNAL." if candidates else "none is of type EXTERNAL."),
            hint="Choose the external structure.",
        )
    return external
