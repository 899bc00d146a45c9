# ruff: noqa: PLC0415 - the environment is prepared before anything heavy is imported
"""Scenes of the plan page for `photograph.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Condition = Callable[[], bool]


def at_once() -> bool:
    """Nothing to wait for but the picture to settle."""
    return True


def top_dialog() -> Any:  # noqa: ANN401
    """The open dialog, or None."""
    from PySide6.QtWidgets import QApplication

    return QApplication.activeModalWidget()


def new_plan_scenes(window: Any, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    """The dialog of a new plan."""
    window.patient_page.start_new_plan()
    yield lambda: top_dialog() is not None
    dialog = top_dialog()
    dialog.name.setText("Chest wall L")
    dialog.dose.setText("50")
    dialog.fractions.setText("25")
    yield at_once
    picture("new-plan")
    dialog.submit()
    yield lambda: window.plan_page is not None


def _tissue(window: Any, tabs: Any, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    """Materials of structures, the CT curve editor with a refused cell, the material library."""
    workspace, panel = window.plan_page.workspace, window.plan_page.overrides
    tabs.setCurrentWidget(panel)
    for structure, material in (("Lung_L", "adipose"), ("PTV_Chestwall", "soft tissue")):
        panel.structure.setCurrentText(structure)
        panel.material.setCurrentText(material)
        panel.assign.click()
    yield lambda: workspace.dose.is_current and workspace.tissue_reviews.review is not None
    picture("plan-overrides")
    for action in (window.curves_action, window.materials_action):
        action.trigger()
        yield lambda: top_dialog() is not None
        if action is window.curves_action:
            editor = top_dialog().editor
            editor.name.setText("Big bore 120 kV")
            editor.scanner.setText("Big bore, room 2")
            picture("curve-new")
            editor.model.setData(editor.model.index(3, 2), "1.9")
            top_dialog().submit()
            yield at_once
            picture("curve-refused")
            editor.model.setData(editor.model.index(3, 2), "0.96")
            top_dialog().submit()
            yield lambda: bool(window.session.library.curves)
        yield at_once
        picture("curves" if action is window.curves_action else "materials")
        top_dialog().reject()
        yield lambda: top_dialog() is None
    window.plan_page.prescription.curve.setCurrentIndex(0)
    window.plan_page.prescription.curve.activated.emit(0)
    yield lambda: workspace.dose.is_current
    tabs.setCurrentWidget(window.plan_page.prescription)
    yield at_once
    picture("plan-curve")
    for _ in range(3):
        workspace.undo()
    yield lambda: workspace.dose.is_current


def _monte_carlo(window: Any, tabs: Any, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    """Preview, final dose under way and done, its uncertainty as a map, the second check; on a coarse grid."""
    import attrs

    from ert.domain.algorithm import Algorithm

    page = window.plan_page
    workspace, engine = page.workspace, page.prescription.engine
    spec = attrs.evolve(workspace.plan.dose_grid, spacing_cm=0.6)
    workspace.apply("Coarse", lambda p: attrs.evolve(p, dose_grid=spec, uncertainty_pct=3.0))
    tabs.setCurrentWidget(page.prescription)
    engine.setCurrentIndex(engine.findData(Algorithm.MONTE_CARLO))
    engine.activated.emit(0)
    yield lambda: workspace.dose.status == "preview" and bool(workspace.shown_dvhs)
    picture("monte-carlo-preview")
    page.dose_bar.final.click()
    yield lambda: workspace.dose.is_current or workspace.dose.preview.uncertainty_pct is not None
    picture("monte-carlo-running")
    yield lambda: workspace.dose.is_current and bool(workspace.evaluation.bands)
    picture("monte-carlo-final")
    page.actions_.uncertainty.trigger()
    yield at_once
    picture("monte-carlo-uncertainty")
    page.actions_.uncertainty.trigger()
    workspace.save()
    yield lambda: not workspace.is_dirty
    page.show_second_check()
    yield lambda: page.compare_window.comparison is not None
    yield at_once
    picture("second-check")
    page.compare_window.close()
    yield from review_scenes(window, picture)
    for _ in range(2):
        workspace.undo()
    yield lambda: workspace.dose.is_current


def review_scenes(window: Any, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    """A plan with its own dose is marked ready, checked by itself, changed; the limits it is judged by."""
    import attrs

    page = window.plan_page
    workspace = page.workspace
    workspace.mark_ready()
    yield lambda: workspace.readiness.is_ready
    picture("ready-checking")
    yield lambda: workspace.readiness.check is not None
    yield at_once
    picture("ready-checked")
    workspace.apply("Describe", lambda p: attrs.evolve(p, description="Boost to follow"))
    yield at_once
    picture("ready-lost")
    workspace.undo()
    page.actions_.limits.trigger()
    yield lambda: top_dialog() is not None
    dialog = top_dialog()
    dialog.fields["green_pass_pct"].setText("97")
    dialog.reason.setText("Audit of last year: 97 % of all plans reach it")
    dialog.save()
    yield at_once
    picture("check-limits")
    dialog.reject()
    yield lambda: top_dialog() is None


def plan_scenes(window: Any, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    """The plan page with its panels, its dialogs, Monte Carlo, the second check; then the sum of plans."""
    from ert.domain.plan import with_beam
    from ert.ui.dialogs import FaultDialog
    from ert.ui.help_dialogs import show_keys

    yield at_once
    picture("plan-empty")
    workspace = window.plan_page.workspace
    beam = workspace.tools.propose(workspace.plan, workspace.plan.prescription.target_number)
    workspace.apply("Add beam", lambda plan: with_beam(plan, beam))
    yield lambda: workspace.dose.is_current and bool(workspace.dvhs)
    picture("plan")
    tabs = window.plan_page._tabs  # noqa: SLF001 - a photographer may look behind the curtain
    for index in range(1, tabs.count()):
        tabs.setCurrentIndex(index)
        yield at_once
        picture(f"plan-{tabs.tabText(index).lower()}")
    yield from _tissue(window, tabs, picture)
    yield from _monte_carlo(window, tabs, picture)
    tabs.setCurrentIndex(0)
    page = window.plan_page
    page.state.set_crosshair((beam.isocentre_cm[0], beam.isocentre_cm[1] + 1.5, beam.isocentre_cm[2]))
    page.points.add_button.click()
    for panel, name in ((page.points, "points"), (page.monitor_units, "monitor-units")):
        yield lambda: workspace.dose.is_current and bool(workspace.dvhs)
        page.judgement.setCurrentWidget(panel)
        yield at_once
        picture(f"plan-{name}")
    page.judgement.setCurrentIndex(0)
    from PySide6.QtCore import QTimer

    QTimer.singleShot(0, window, lambda: show_keys(window))
    yield lambda: top_dialog() is not None
    picture("keys")
    top_dialog().close()
    yield lambda: top_dialog() is None
    fault = FaultDialog("F261124-0a1b2c", "ValueError", window)
    fault.open()
    yield lambda: top_dialog() is not None
    picture("fault")
    fault.close()
    saved: list[bool] = []
    plan = workspace.plan
    workspace.save(lambda: saved.append(True))
    yield lambda: bool(saved)
    window.back_to_patients()
    yield lambda: window.plan_page is None
    yield at_once
    picture("patients-with-plan")
    yield from _sum(window, plan, picture)


def _sum(window: Any, plan: Any, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    """The plan and a copy of it added up."""
    patients, session = window.patient_page, window.session
    session.save_as_new(plan, "Boost")
    patients.refresh(select_course=plan.course_id)
    yield patients.sum_button.isEnabled
    patients.start_sum()
    yield lambda: top_dialog() is not None
    picture("sum-choice")
    top_dialog().submit()
    yield lambda: getattr(patients, "sum_window", None) is not None
    yield at_once
    shown = patients.sum_window
    shown.resize(window.size())
    yield at_once
    picture("sum")
    shown.close()
