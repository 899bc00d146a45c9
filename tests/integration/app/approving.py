"""A plan on a released machine, checked by a second engine and marked ready: all that an approval needs."""

from __future__ import annotations

import attrs

from ert.app.check_rules import CheckRules
from ert.app.jobs import JobContext, Lane
from ert.app.session import SiteSession
from ert.app.workspace import PlanWorkspace
from ert.commissioning.package import read_package, write_package
from ert.domain.algorithm import Algorithm
from ert.domain.plan import DoseGridSpec, Prescription, with_beam
from ert.domain.second_check import CheckTolerances
from ert.settings import resources_dir

MACHINE = "Linac 1"
WIDE = CheckTolerances(
    gamma_dose_pct=10.0, gamma_distance_cm=1.0, green_pass_pct=40.0, amber_pass_pct=30.0, green_difference_pct=90.0,
    amber_difference_pct=95.0,
)  # fmt: skip
STATEMENT = "Checked against water tank scans of 2026-02; for tests of approval only."


def add_clinical_machine(session: SiteSession, folder) -> None:
    """The demo machine's data under another name, as if a physicist had commissioned and released it."""
    package = read_package(resources_dir() / "demo_machine" / "package")
    machine = attrs.evolve(package.machine, name=MACHINE)
    models = tuple(attrs.evolve(m, machine_name=MACHINE, is_demo=False) for m in package.models)
    write_package(folder, attrs.evolve(package, machine=machine, models=models, is_demo=False))
    added = session.add_machine(folder)
    session.releases.release(added, STATEMENT)


def plan_to_approve(session: SiteSession, owner, folder, *, name: str = "To approve") -> PlanWorkspace:
    """An open plan of one pencil beam on a coarse grid, checked by redefinition, saved and marked ready."""
    add_clinical_machine(session, folder)
    rules = CheckRules(session.store, lambda run: session.jobs.call(Lane.DB, run))
    rules.save(WIDE, "for a coarse grid")
    (row,) = session.patients()
    target = session.structures(row.courses[0].course.id).named("PTV_Chestwall")
    ordered = Prescription(target_number=target.number, dose_gy=50.0, fractions=25)
    stored = session.create_plan(row.courses[0].course.id, name, ordered, algorithm=Algorithm.PENCIL_BEAM)
    workspace = session.open_plan(stored.plan.id)
    beam = workspace.tools.propose(workspace.plan, target.number)
    assert beam.machine_name == MACHINE
    spec = DoseGridSpec(spacing_cm=1.0, margin_cm=2.0)
    workspace.apply("Plan", lambda plan: attrs.evolve(with_beam(plan, beam), dose_grid=spec))
    workspace.wait_for_dose(owner.pump)
    save(workspace, owner)
    check(workspace, owner)
    mark_ready(workspace, owner)
    return workspace


def save(workspace: PlanWorkspace, owner) -> None:
    saved: list[bool] = []
    workspace.save(on_saved=lambda: saved.append(True))
    owner.until(lambda: saved)


def mark_ready(workspace: PlanWorkspace, owner) -> None:
    marked: list[bool] = []
    workspace.mark_ready(lambda: marked.append(True))
    owner.until(lambda: marked)


def check(workspace: PlanWorkspace, owner, engine: Algorithm = Algorithm.PBRA) -> None:
    """Keep a second check of the plan by an engine that is fast."""
    found: list[object] = []
    workspace.checks.compare(
        workspace.plan, (None, engine), on_done=found.append, on_failed=found.append,
        on_cancelled=lambda: found.append(None), on_progress=lambda _fraction, _text: None,
    )  # fmt: skip
    owner.until(lambda: found)
    if isinstance(found[0], BaseException):
        raise found[0]
    workspace.checks.keep(found[0], workspace.stored)


def approve(session: SiteSession, workspace: PlanWorkspace, password: str):
    """Approve as a screen does, everything confirmed; the lanes are those a screen uses."""
    desk = session.approvals
    question = desk.begin(workspace)
    made = session.jobs.call(Lane.DOSE, lambda: desk.recompute(question, JobContext()))
    return desk.sign(made, confirmed=question.view.codes, password=password)
