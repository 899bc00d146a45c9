"""Edits of a beam as functions from plan to plan. What was fitted to the target is fitted again; hand edits stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from ert.domain.beam import Beam
from ert.domain.device import Aperture, ApertureSource
from ert.domain.identity import new_id
from ert.domain.plan import Plan, next_beam_number, with_beam
from ert.domain.statements import ALGORITHM_NAMES
from ert.errors import InvalidPlan

if TYPE_CHECKING:
    from ert.app.beam_tools import FittedAperture
    from ert.app.workspace import PlanWorkspace

Edit = Callable[[Plan], Plan]
DEFAULT_MARGIN_CM = 0.7
COLOURS = ((255, 200, 60), (90, 200, 250), (240, 130, 220), (150, 230, 110), (255, 140, 90))


def change_beam(workspace: PlanWorkspace, number: int, change: Callable[[Beam], Beam], *, field: str) -> Edit:
    """An edit of one beam; its fitted aperture follows, and the reason given for ``field`` no longer holds."""

    def edit(plan: Plan) -> Plan:
        before = plan.beam(number)
        known = attrs.evolve(before, reasons=tuple(r for r in before.reasons if r[0] != field))
        after = change(known)
        if after == known:
            return plan
        if after.aperture == before.aperture:
            after = refit(workspace, after)
        return with_beam(plan, after)

    return edit


def refit(workspace: PlanWorkspace, beam: Beam) -> Beam:
    """The beam with its target aperture fitted anew, or an open aperture as large as its applicator; others stay."""
    source = beam.aperture.source
    if source is ApertureSource.TARGET and beam.target_number is not None:
        margin_cm = DEFAULT_MARGIN_CM if beam.aperture.margin_cm is None else beam.aperture.margin_cm
        return _with_fitted(beam, workspace.tools.fit_aperture(beam, beam.target_number, margin_cm))
    if source is ApertureSource.OPEN:
        return attrs.evolve(beam, aperture=open_aperture(workspace, beam))
    return beam


def _with_fitted(beam: Beam, fitted: FittedAperture) -> Beam:
    """The beam with a fitted opening, and what had to be done to it kept among its reasons."""
    kept = tuple(reason for reason in beam.reasons if reason[0] != "aperture")
    notes = tuple(("aperture", note) for note in fitted.notes)
    return attrs.evolve(beam, aperture=fitted.aperture, reasons=(*kept, *notes))


def open_aperture(workspace: PlanWorkspace, beam: Beam) -> Aperture:
    """The applicator's whole opening."""
    applicator = workspace.models.package(beam.machine_name).machine.applicator(beam.applicator_id)
    x, y = applicator.opening_x_cm / 2, applicator.opening_y_cm / 2
    outline = ((-x, -y), (x, -y), (x, y), (-x, y))
    return attrs.evolve(beam.aperture, outline_cm=outline, source=ApertureSource.OPEN, margin_cm=None)


def with_machine(workspace: PlanWorkspace, beam: Beam, machine_name: str) -> Beam:
    """The beam on another machine: same energy and applicator where that machine has them."""
    package = workspace.models.package(machine_name)
    energies = [m.energy_mev for m in package.models]
    energy_mev = (
        beam.energy_mev if beam.energy_mev in energies else min(energies, key=lambda e: abs(e - beam.energy_mev))
    )
    ids = [a.id for a in package.machine.applicators]
    applicator_id = beam.applicator_id if beam.applicator_id in ids else ids[0]
    moved = attrs.evolve(beam, machine_name=machine_name, applicator_id=applicator_id)
    return workspace.tools.with_energy(moved, energy_mev)


def with_aperture_source(workspace: PlanWorkspace, beam: Beam, source: ApertureSource) -> Beam:
    """The beam with its aperture made another way; the size is kept where that makes sense.

    Raises
    ------
    InvalidPlan
        If an aperture is to be fitted but the beam has no target.
    """
    x0, x1, y0, y1 = beam.aperture.bounds_cm
    centre = ((x0 + x1) / 2, (y0 + y1) / 2)
    if source is ApertureSource.TARGET:
        if beam.target_number is None:
            raise InvalidPlan(
                f"Beam '{beam.name}' has no target to fit its aperture to.", hint="Choose a target first."
            )
        margin_cm = DEFAULT_MARGIN_CM if beam.aperture.margin_cm is None else beam.aperture.margin_cm
        return _with_fitted(beam, workspace.tools.fit_aperture(beam, beam.target_number, margin_cm))
    if source is ApertureSource.RECTANGLE:
        return _with_fitted(beam, workspace.tools.rectangle(beam, x1 - x0, y1 - y0, centre))
    if source is ApertureSource.ELLIPSE:
        return _with_fitted(beam, workspace.tools.ellipse(beam, x1 - x0, y1 - y0, centre))
    if source is ApertureSource.OPEN:
        return attrs.evolve(beam, aperture=open_aperture(workspace, beam))
    return attrs.evolve(beam, aperture=attrs.evolve(beam.aperture, source=source, margin_cm=None))


def with_margin(workspace: PlanWorkspace, beam: Beam, margin_cm: float) -> Beam:
    """The beam with its target aperture fitted with another margin."""
    if beam.target_number is None:
        raise InvalidPlan(f"Beam '{beam.name}' has no target to put a margin around.", hint="Choose a target first.")
    return _with_fitted(beam, workspace.tools.fit_aperture(beam, beam.target_number, margin_cm))


def with_size(workspace: PlanWorkspace, beam: Beam, *, width_cm: float | None, height_cm: float | None) -> Beam:
    """The beam with a rectangle or ellipse of another width or height about the same centre.

    Raises
    ------
    InvalidPlan
        If the aperture is neither.
    """
    x0, x1, y0, y1 = beam.aperture.bounds_cm
    width = x1 - x0 if width_cm is None else width_cm
    height = y1 - y0 if height_cm is None else height_cm
    centre = ((x0 + x1) / 2, (y0 + y1) / 2)
    if beam.aperture.source is ApertureSource.ELLIPSE:
        return _with_fitted(beam, workspace.tools.ellipse(beam, width, height, centre))
    if beam.aperture.source is ApertureSource.RECTANGLE:
        return _with_fitted(beam, workspace.tools.rectangle(beam, width, height, centre))
    raise InvalidPlan("Only a rectangle or an ellipse has a width and height to enter.", hint="Choose its shape first.")


def algorithm_text(workspace: PlanWorkspace, beam: Beam) -> str:
    """The engine that computes a beam, and whether that is the plan's choice."""
    name = ALGORITHM_NAMES[workspace.plan.algorithm_of(beam)]
    return name if beam.algorithm is not None else _as_plan(name)


def algorithm_shown(workspace: PlanWorkspace, beam: Beam) -> str:
    """The engine that computes a beam; in brackets where that is the plan's choice."""
    name = ALGORITHM_NAMES[workspace.plan.algorithm_of(beam)]
    return name if beam.algorithm is not None else f"({name})"


def algorithm_choices(workspace: PlanWorkspace, _beam: Beam) -> list[str]:
    """The plan's engine, and every engine by name."""
    return [_as_plan(ALGORITHM_NAMES[workspace.plan.algorithm]), *ALGORITHM_NAMES.values()]


def with_algorithm_named(_ws: PlanWorkspace, beam: Beam, text: str) -> Beam:
    """The beam computed by the engine of that name, or by the plan's."""
    return attrs.evolve(beam, algorithm=next((a for a, name in ALGORITHM_NAMES.items() if name == text), None))


def _as_plan(name: str) -> str:
    return f"{name} (plan's)"


def added(plan: Plan, proposed: Beam) -> tuple[Plan, Beam]:
    """The plan with a proposed beam under the next free number, with a free name and a colour of its own."""
    number = next_beam_number(plan)
    names = {b.name for b in plan.beams}
    name = proposed.name if proposed.name and proposed.name not in names else f"Beam {number}"
    colour = COLOURS[(number - 1) % len(COLOURS)]
    beam = attrs.evolve(proposed, id=new_id(), number=number, name=name, colour=colour)
    return with_beam(plan, beam), beam


def duplicated(plan: Plan, number: int) -> tuple[Plan, Beam]:
    """The plan with a copy of a beam."""
    source = plan.beam(number)
    return added(plan, attrs.evolve(source, name=f"{source.name} copy", mu=None))
