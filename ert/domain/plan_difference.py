"""What differs between two plans, in words a planner reads: where, what, before, after.

Every field of a plan and of what it is made of stands in one of the tables below; a test fails for a field that does
not, so that no change can go unnamed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

from ert.domain.beam import Beam
from ert.domain.device import Aperture
from ert.domain.image import CtCurve, DensityOverride
from ert.domain.plan import DoseGridSpec, Goal, Normalisation, Plan, Prescription
from ert.domain.structure import PointOfInterest

NOTHING = "–"
Text = Callable[[Any], str]


@attrs.frozen(kw_only=True)
class Change:
    """One difference.

    Attributes
    ----------
    key : names the field in both of two comparisons, for example ``beams/<id>/gantry_deg``.
    place : for example ``Beam 1 'LAO'``.
    what : for example ``Gantry``.
    before, after : with units; ``–`` where there is nothing.
    is_dosimetric : whether it may change dose or monitor units.
    is_derived : it follows from other values and was typed by nobody.
    """

    key: str
    place: str
    what: str
    before: str
    after: str
    is_dosimetric: bool
    is_derived: bool = False

    @property
    def sentence(self) -> str:
        """All of it on one line."""
        return f"{self.place}: {self.what} {self.before} → {self.after}"


@attrs.frozen
class _Field:
    what: str
    text: Text
    is_dosimetric: bool = True
    is_derived: bool = False


def _number(decimals: int, unit: str = "") -> Text:
    tail = unit if unit in ("", "°") else f" {unit}"
    return lambda value: NOTHING if value is None else f"{value:.{decimals}f}{tail}"


def _plain(value: Any) -> str:  # noqa: ANN401
    return NOTHING if value is None or value == "" else str(value)


def _short(value: str) -> str:
    return value[:8] or NOTHING


def _point(value: tuple[float, float, float]) -> str:
    return "({:.2f}, {:.2f}, {:.2f}) cm".format(*value)


def _outline(value: tuple[tuple[float, float], ...]) -> str:
    x, y = [p[0] for p in value], [p[1] for p in value]
    area_cm2 = Aperture(outline_cm=value).area_cm2
    return f"{max(x) - min(x):.2f} × {max(y) - min(y):.2f} cm, {area_cm2:.2f} cm², {len(value)} points"


def _notes(value: tuple[tuple[str, str], ...]) -> str:
    return "; ".join(text for _, text in value) or NOTHING


def _colour(value: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*value)


_CM, _DEG = _number(2, "cm"), _number(1, "°")
PLAN_FIELDS: Mapping[str, _Field] = {
    "id": _Field("Record", _short, is_dosimetric=False),
    "course_id": _Field("Course", _short, is_dosimetric=False),
    "name": _Field("Name", _plain, is_dosimetric=False),
    "image_id": _Field("CT", _short),
    "structure_set_id": _Field("Structure set", _short),
    "external_number": _Field("External contour", _plain),
    "algorithm": _Field("Algorithm", _plain),
    "uncertainty_pct": _Field("Monte Carlo uncertainty", lambda value: f"{value:g} %"),
    "dose_to": _Field("Dose to", lambda value: value.phrase),
    "description": _Field("Description", _plain, is_dosimetric=False),
}
PLAN_PARTS = frozenset({"prescription", "ct_curve", "overrides", "points", "goals", "beams", "dose_grid"})
PRESCRIPTION_FIELDS: Mapping[str, _Field] = {
    "target_number": _Field("Target", _plain),
    "dose_gy": _Field("Dose", _number(2, "Gy")),
    "fractions": _Field("Fractions", _plain),
    "normalisation": _Field("Normalisation", _plain),
    "percent": _Field("Percent", _number(1, "%")),
    "point_id": _Field("Point", _plain),
}
GRID_FIELDS: Mapping[str, _Field] = {"spacing_cm": _Field("Spacing", _CM), "margin_cm": _Field("Margin", _CM)}
POINT_FIELDS: Mapping[str, _Field] = {
    "id": _Field("Record", _short),
    "name": _Field("Name", _plain, is_dosimetric=False),
    "position_cm": _Field("Position", _point),
    "kind": _Field("Kind", _plain),
}
BEAM_FIELDS: Mapping[str, _Field] = {
    "id": _Field("Record", _short),
    "number": _Field("Number", _plain, is_dosimetric=False),
    "name": _Field("Name", _plain, is_dosimetric=False),
    "machine_name": _Field("Machine", _plain),
    "energy_mev": _Field("Energy", lambda value: f"{value:g} MeV"),
    "applicator_id": _Field("Applicator", _plain),
    "model_digest": _Field("Beam model", _short),
    "machine_digest": _Field("Machine version", _short),
    "isocentre_cm": _Field("Isocentre", _point),
    "gantry_deg": _Field("Gantry", _DEG),
    "collimator_deg": _Field("Collimator", _DEG),
    "couch_deg": _Field("Couch", _DEG),
    "ssd_cm": _Field("SSD", _CM, is_derived=True),
    "target_number": _Field("Target", _plain),
    "weight": _Field("Weight", _number(3)),
    "mu": _Field("Monitor units", _number(1, "MU"), is_derived=True),
    "colour": _Field("Colour", _colour, is_dosimetric=False),
    "reasons": _Field("Reasons", _notes, is_dosimetric=False),
    "algorithm": _Field("Algorithm", lambda value: "the plan's" if value is None else str(value)),
}
BEAM_PARTS = frozenset({"aperture"})
APERTURE_FIELDS: Mapping[str, _Field] = {
    "outline_cm": _Field("Cutout", _outline),
    "source": _Field("Cutout made from", _plain, is_dosimetric=False),
    "margin_cm": _Field("Cutout margin", _CM),
    "material": _Field("Cutout material", _plain),
    "thickness_cm": _Field("Cutout thickness", _CM),
}


def plan_difference(before: Plan, after: Plan, *, structures: Mapping[int, str] | None = None) -> tuple[Change, ...]:
    """Return everything that differs, plan first, beams last.

    Parameters
    ----------
    before, after : Plan
        Two states, of one plan or of two.
    structures : mapping
        Names of structures by number; numbers are shown where a name is not known.
    """
    compare = _Comparison(before, after, structures or {})
    return tuple(compare.changes())


class _Comparison:
    def __init__(self, before: Plan, after: Plan, structures: Mapping[int, str]) -> None:
        self._before, self._after, self._structures = before, after, structures
        self._has_fixed_mu = after.prescription.normalisation is Normalisation.FIXED_MU
        self._points = {p.id: p.name for p in (*before.points, *after.points)}

    def changes(self) -> Iterator[Change]:
        before, after = self._before, self._after
        yield from self._fields("plan", "Plan", PLAN_FIELDS, before, after)
        prescriptions = before.prescription, after.prescription
        yield from self._fields("prescription", "Prescription", PRESCRIPTION_FIELDS, *prescriptions)
        yield from self._fields("dose_grid", "Dose grid", GRID_FIELDS, before.dose_grid, after.dose_grid)
        yield from self._curve(before.ct_curve, after.ct_curve)
        yield from self._overrides(before.overrides, after.overrides)
        yield from self._points_of(before.points, after.points)
        yield from self._goals(before.goals, after.goals)
        yield from self._beams(before.beams, after.beams)

    def _fields(self, key: str, place: str, fields: Mapping[str, _Field], a: Any, b: Any) -> Iterator[Change]:  # noqa: ANN401
        for name, field in fields.items():
            old, new = getattr(a, name), getattr(b, name)
            if old != new:
                before, after = self._text(name, field, old), self._text(name, field, new)
                is_derived = field.is_derived and not (name == "mu" and self._has_fixed_mu)
                if before == after and is_derived:
                    continue
                if before == after:  # a difference below what is usually shown is still one
                    before, after = repr(old), repr(new)
                yield Change(
                    key=f"{key}/{name}",
                    place=place,
                    what=field.what,
                    before=before,
                    after=after,
                    is_dosimetric=field.is_dosimetric,
                    is_derived=is_derived,
                )

    def _text(self, name: str, field: _Field, value: Any) -> str:  # noqa: ANN401
        if name in {"target_number", "external_number"} and value is not None:
            return self._structure(value)
        if name == "point_id" and value is not None:
            return self._points.get(value, _short(value))
        return field.text(value)

    def _structure(self, number: int) -> str:
        return self._structures.get(number, f"structure {number}")

    def _curve(self, before: CtCurve, after: CtCurve) -> Iterator[Change]:
        if before == after:
            return
        old, new = (f"{c.name}, {len(c.points)} points" for c in (before, after))
        if before.points != after.points:
            rows = [p for p in after.points if p not in before.points]
            new += f", {len(rows)} of them new or changed"
        is_dosimetric = before.points != after.points
        yield Change(key="ct_curve", place="CT curve", what="Curve", before=old, after=new, is_dosimetric=is_dosimetric)

    def _overrides(self, before: tuple[DensityOverride, ...], after: tuple[DensityOverride, ...]) -> Iterator[Change]:
        old, new = ({o.structure_number: _material(o) for o in many} for many in (before, after))
        for number in _keys(old, new):
            if old.get(number) != new.get(number):
                yield _whole(
                    f"overrides/{number}", self._structure(number), "Material", old.get(number), new.get(number)
                )
        both = [number for number in old if number in new]
        if both != [number for number in new if number in old]:
            texts = [", ".join(self._structure(n) for n in many if n in both) for many in (old, new)]
            yield _whole("overrides/order", "Materials", "Order, last wins", *texts)

    def _points_of(self, before: tuple[PointOfInterest, ...], after: tuple[PointOfInterest, ...]) -> Iterator[Change]:
        old, new = ({p.id: p for p in many} for many in (before, after))
        for point_id in _keys(old, new):
            a, b = old.get(point_id), new.get(point_id)
            if a is not None and b is not None:
                yield from self._fields(f"points/{point_id}", f"Point '{b.name}'", POINT_FIELDS, a, b)
            else:
                name = self._points[point_id]
                texts = (None if p is None else f"{_point(p.position_cm)}, {p.kind}" for p in (a, b))
                yield _whole(f"points/{point_id}", f"Point '{name}'", "Point", *texts)

    def _goals(self, before: tuple[Goal, ...], after: tuple[Goal, ...]) -> Iterator[Change]:
        gone = [g for g in before if g not in after]
        come = [g for g in after if g not in before]
        for goal in (*gone, *come):
            text = goal.text
            old, new = (text, None) if goal in gone else (None, text)
            place = self._structure(goal.structure_number)
            yield _whole(f"goals/{goal.structure_number}/{text}", place, "Goal", old, new, is_dosimetric=False)
        if not gone and not come and before != after:
            texts = [f"{len(before)} goals", f"{len(after)} goals in another order"]
            yield _whole("goals/order", "Goals", "Order", *texts, is_dosimetric=False)

    def _beams(self, before: tuple[Beam, ...], after: tuple[Beam, ...]) -> Iterator[Change]:
        old, new = ({b.id: b for b in many} for many in (before, after))
        for beam_id in _keys(old, new):
            a, b = old.get(beam_id), new.get(beam_id)
            beam = b or a
            if beam is None:
                continue
            key, place = f"beams/{beam_id}", f"Beam {beam.number} '{beam.name}'"
            if a is not None and b is not None:
                yield from self._fields(key, place, BEAM_FIELDS, a, b)
                yield from self._fields(f"{key}/aperture", place, APERTURE_FIELDS, a.aperture, b.aperture)
            else:
                yield _whole(key, place, "Beam", *(None if x is None else _beam(x) for x in (a, b)))


def _keys(old: Mapping[Any, Any], new: Mapping[Any, Any]) -> Iterable[Any]:
    return dict.fromkeys((*old, *new))


def _material(override: DensityOverride) -> str:
    material = override.material
    return (
        f"{material.name}, {material.density_g_cm3:.3f} g/cm³, stopping {material.relative_stopping:.3f}, "
        f"scattering {material.relative_scattering:.3f}"
    )


def _beam(beam: Beam) -> str:
    return f"{beam.energy_mev:g} MeV, {beam.applicator_id}, gantry {beam.gantry_deg:.1f}°, weight {beam.weight:.3f}"


def _whole(
    key: str, place: str, what: str, before: str | None, after: str | None, *, is_dosimetric: bool = True
) -> Change:
    return Change(
        key=key,
        place=place,
        what=what,
        before=NOTHING if before is None else before,
        after=NOTHING if after is None else after,
        is_dosimetric=is_dosimetric,
    )


FIELD_TABLES: Mapping[type, frozenset[str]] = {
    Plan: frozenset(PLAN_FIELDS) | PLAN_PARTS,
    Prescription: frozenset(PRESCRIPTION_FIELDS),
    DoseGridSpec: frozenset(GRID_FIELDS),
    PointOfInterest: frozenset(POINT_FIELDS),
    Beam: frozenset(BEAM_FIELDS) | BEAM_PARTS,
    Aperture: frozenset(APERTURE_FIELDS),
    CtCurve: frozenset({"name", "points"}),
    DensityOverride: frozenset({"structure_number", "material"}),
    Goal: frozenset({"structure_number", "metric", "comparison", "value", "unit"}),
}
"""Which fields of each class a comparison looks at; a test holds it against the classes."""
