"""One open plan: views, panels, evaluation, and the line that says what the dose is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import numpy as np
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from ert.app.changes import Changes
from ert.app.jobs import Lane
from ert.geometry.grid import Float3
from ert.ui.beam_panel import BeamPanel
from ert.ui.dose_bar import DoseBar
from ert.ui.locked_panels import lock_panels
from ert.ui.plan_actions import PlanActions
from ert.ui.plan_keeper import PlanKeeper
from ert.ui.plan_parts import TABS, PlanParts
from ert.ui.probe import probe_text
from ert.ui.sections import Sections
from ert.ui.view_grid import ViewGrid
from ert.ui.view_state import ViewState
from ert.ui.widgets import MessageStrip

if TYPE_CHECKING:
    from ert.app.session import SiteSession
    from ert.app.workspace import PlanWorkspace
    from ert.ui.compare_window import CompareWindow
    from ert.ui.plots import DvhPlot

_DVH_AFTER_MS = 1  # not 0: the page is painted before
_PREVIEW_TITLE = "PREVIEW"
_NOT_OF_A_SKETCH = "No histograms\nof a live preview"  # in one line it is wider than the plot on a small screen


class PlanPage(PlanParts):
    """The planning page.

    Parameters
    ----------
    workspace : PlanWorkspace
        The open plan; the page does not close it.
    session : SiteSession
        The opened site the plan belongs to.
    with_3d : bool
        Whether to make the 3D view.
    is_whole : bool
        Make everything at once. False for a window that answers meanwhile: `make_next` makes the page part by part,
        and nothing else may be asked of it before.

    Signals
    -------
    left : the user wants to go back to the patients.
    probed(text) : what is under the pointer or at the crosshair.
    plan_shown : name, revision or saved state changed.
    materials_wanted : the user wants to see or define materials.
    saved_as(plan_id) : the edits are safe in a new plan, which is to be shown instead.
    """

    left = Signal()
    probed = Signal(str)
    plan_shown = Signal()
    materials_wanted = Signal()
    saved_as = Signal(str)

    def __init__(
        self,
        workspace: PlanWorkspace,
        session: SiteSession,
        *,
        with_3d: bool = True,
        is_whole: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.workspace, self.session = workspace, session
        self._jobs, self._with_3d = session.jobs, with_3d
        self.state = ViewState(_first_point(workspace), self)
        self.sections = Sections(workspace.image, workspace.structures)
        self.message, self.not_saved = MessageStrip(), MessageStrip()
        self._shown_save_error: BaseException | None = None
        self.dvh: DvhPlot | None = None
        self.compare_window: CompareWindow | None = None
        self._pending = Changes()
        self._pointer: Float3 | None = None
        self._is_closed = False
        self._flush = QTimer(self)
        self._flush.setSingleShot(True)
        self._flush.setInterval(0)
        self._flush.timeout.connect(self._apply_changes)
        self._unsubscribe = workspace.subscribe(self._changed)
        self._to_make: list[Callable[[], None]] = [
            self._make_views, self._make_beams, self._make_tissue, self._make_prescription, self._make_results,
            self._build_tabs, self._build_judgement, self._build_bottom, self._build_columns, self._make_actions,
            self._build, self._follow,
        ]  # fmt: skip
        while is_whole and self.make_next():
            pass

    def make_next(self) -> bool:
        """Make the next part of a page that was begun with ``is_whole`` False; False once there is nothing left."""
        if self._to_make:
            self._to_make.pop(0)()
        return bool(self._to_make)

    def _make_views(self) -> None:
        workspace, state = self.workspace, self.state
        self.views = ViewGrid(workspace, state, self.sections, self._jobs, with_3d=self._with_3d)
        self.dose_bar = DoseBar(workspace, state)

    def _make_beams(self) -> None:
        self.beams = BeamPanel(self.workspace, self.state, self._propose)

    def _make_actions(self) -> None:
        self.keeper = PlanKeeper(self)
        self.actions_ = PlanActions(self)

    def _follow(self) -> None:
        """From here on the page shows what changes, beginning with what changed while it was made."""
        self.state.crosshair_changed.connect(self._show_probe)
        self.state.visibility_changed.connect(self._show_dvh)
        self.state.dose_display_changed.connect(self._show_dvh)
        self.state.turns.granted.connect(self._take_turn)
        self.views.pointed_at.connect(self._pointed)
        self.overrides.materials_wanted.connect(self.materials_wanted)
        self.views.beam_eye.refused.connect(self.message.show_error)
        self.findings.show_findings(self.workspace.findings)
        self._lock()
        QTimer.singleShot(_DVH_AFTER_MS, self, self._add_dvh)
        QTimer.singleShot(0, self, self._show_probe)
        if self._pending != Changes():
            self._flush.start()

    def _build(self) -> None:
        self._tabs.setMinimumWidth(300)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        top = QHBoxLayout()
        top.setSpacing(0)
        top.addWidget(self.actions_.tool_bar)
        top.addWidget(self.dose_bar, 1)  # not in the tool bar, which hides what does not fit
        layout.addLayout(top)
        layout.addWidget(self.not_saved)
        layout.addWidget(self.message)
        layout.addWidget(self._columns, 1)

    def _add_dvh(self) -> None:
        """The plot library is loaded after the page is on screen."""
        from ert.ui.plots import DvhPlot

        self.dvh = DvhPlot()
        layout = self._dvh_place.layout()
        if layout is not None:
            layout.addWidget(self.dvh)
        self._show_dvh()

    # ---- following -----------------------------------------------------------------------------------------------

    def _changed(self, changes: Changes) -> None:
        self._pending = Changes(
            **{a.name: getattr(self._pending, a.name) or getattr(changes, a.name) for a in attrs.fields(Changes)}
        )
        if not self._to_make:
            self._flush.start()

    def _apply_changes(self) -> None:
        """Everything that came in this turn of the event loop, at once."""
        changes, self._pending = self._pending, Changes()
        self.dose_bar.refresh()
        self.keeper.changed(changes)
        if changes.saved:
            self._show_save_error()
        if self.session.account.is_disabled:
            return  # closed meanwhile: the page is covered, and may read nothing of the site any more
        if changes.plan:
            self.beams.refresh()
            self.prescription.refresh()
            self.structures.model.refresh()
            self.isodoses.model.refresh()
            self.isodoses.refresh()
            self.views.refresh()
        elif changes.dose or (changes.picture and self.workspace.dose.picture is None):
            self.views.refresh_dose()
        elif changes.picture:
            self.views.refresh_picture()
            self._show_probe()
        if changes.plan or changes.tissue:
            self.overrides.refresh()
        if changes.tissue:
            self.findings.show_findings(self.workspace.findings)
        if changes.plan or changes.dose or changes.dvh:
            self._follow_dose(changes)
        self.actions_.refresh()
        self._lock()
        self.plan_shown.emit()

    def _follow_dose(self, changes: Changes) -> None:
        """What follows from a dose. Histograms of a run's better picture wait for a turn; old ones vanish at once."""
        is_run = self.workspace.dose.final_run is not None and not (changes.plan or changes.dose)
        if is_run and self.workspace.shown_dvhs:
            self.state.turns.ask(self)
            return
        self._let_histograms_paint(is_let=True)
        self._show_histograms()
        if not is_run:
            self.points.refresh()
            self.monitor_units.refresh()
            self.findings.show_findings(self.workspace.findings)
            self._show_probe()

    def _take_turn(self, view: object) -> None:
        """Better histograms of a run: first their figures, unseen, then a turn for painting all of them at once."""
        if view is not self or self._is_closed:
            return
        is_new = self._dvh_place.updatesEnabled()
        self._let_histograms_paint(is_let=not is_new)
        if is_new:
            self._show_histograms()
            self.state.turns.ask(self)

    def _let_histograms_paint(self, *, is_let: bool) -> None:
        for panel in (self._dvh_place, self.evaluation.metric_table.viewport()):
            panel.setUpdatesEnabled(is_let)

    def _show_histograms(self) -> None:
        """Curves, metrics and goals, always together: what one of them says is of the same dose as the others."""
        self.evaluation.refresh()
        self.goals.refresh()
        self._show_dvh()

    def _lock(self) -> None:
        """Whatever would edit a plan that cannot be changed is switched off, and says why."""
        if self.workspace.is_read_only:
            panels = (self.beams, self.overrides, self.prescription, self.points, self.goals)
            lock_panels(panels, self.workspace.why_read_only)

    def _show_save_error(self) -> None:
        """A failed save is told until it is dismissed or a later one succeeds."""
        error = self.workspace.save_error
        if error is None:
            self.not_saved.clear()
        elif error is not self._shown_save_error:
            self.not_saved.show_error(self.keeper.failure_text(error))
        self._shown_save_error = error

    def _show_dvh(self) -> None:
        if self.dvh is None:
            return
        dose = self.workspace.dose
        texts = {
            "current": "Computing histograms",
            "preview": "Computing histograms",
            "none": "No dose",
            "failed": "No dose",
        }
        self.dvh.show_dvhs(
            self.workspace.shown_dvhs,
            prescribed_gy=self.workspace.plan.prescription.dose_gy,
            is_absolute=self.state.dose_display.is_absolute,
            hidden=self.state.visibility.hidden_structures,
            dose_name=self.workspace.plan.dose_to.phrase.capitalize(),
            message=_NOT_OF_A_SKETCH
            if dose.preview is not None and dose.preview.is_live
            else texts.get(str(dose.status), "Dose is out of date"),
            bands=self.workspace.evaluation.bands if dose.is_current else {},
            title="" if dose.is_current else _PREVIEW_TITLE,
        )

    def _pointed(self, point: Float3 | None) -> None:
        self._pointer = point
        self._show_probe()

    def _show_probe(self) -> None:
        self.probed.emit(probe_text(self.workspace, self.sections, self._pointer or self.state.crosshair_cm))

    @property
    def title(self) -> str:
        """Course, plan and saved state, for the page header."""
        workspace = self.workspace
        parts = (workspace.course.name, workspace.plan.name, workspace.saved_text, self.keeper.presence_text)
        return "  ·  ".join(part for part in parts if part)

    @property
    def window_title(self) -> str:
        """Plan, whether it has unsaved edits, and patient."""
        mark = "*" if self.workspace.is_dirty else ""
        return f"{self.workspace.plan.name}{mark} – {self.workspace.patient.display_name} – ERT"

    # ---- actions -------------------------------------------------------------------------------------------------

    def _propose(self, target_number: int) -> None:
        if self.workspace.dose.final_run is not None:
            self.message.show_warning("The final dose is being computed. Cancel it, or wait, then propose a beam.")
            return
        plan, tools = self.workspace.plan, self.workspace.tools
        self._jobs.submit(
            Lane.DOSE,
            lambda _ctx: tools.propose(plan, target_number),
            title="Proposing a beam",
            supersedes="propose",
            on_done=lambda proposal: self._while_open(lambda: self.beams.add_proposed(proposal)),
            on_failed=lambda error: self._while_open(lambda: self.beams.proposal_failed(error)),
            can_stop=False,
        )

    def show_second_check(self) -> None:
        """Open the window that compares the plan's dose with another engine's, and begin."""
        from ert.ui.compare_window import CompareWindow

        if self.compare_window is not None:
            self.compare_window.close_window()
        self.compare_window = CompareWindow(
            self.workspace,
            self.state,
            site_text=self.session.site_name,
            user_name=self.session.user_name,
            emergency=self.session.emergency_banner,
            parent=self,
        )
        self.compare_window.show()
        self.compare_window.start()

    def _while_open(self, show: Callable[[], None]) -> None:
        """The plan may have been left while a job ran for it."""
        if not self._is_closed:
            show()

    def step_beam(self, count: int) -> None:
        """Choose the next or previous beam."""
        numbers = [b.number for b in self.workspace.plan.beams]
        if numbers:
            at = numbers.index(self.state.beam_number) if self.state.beam_number in numbers else 0
            self.state.set_beam(numbers[(at + count) % len(numbers)])

    @property
    def tab_names(self) -> tuple[str, ...]:
        """Names of the panels at the right, in order."""
        return TABS

    def show_tab(self, index: int) -> None:
        """Bring a panel to the front."""
        self._tabs.setCurrentIndex(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Holding H shows the bare image; Esc gives all views their room back."""
        if event.key() == Qt.Key.Key_H and not event.isAutoRepeat():
            self.state.set_visibility(attrs.evolve(self.state.visibility, is_bare=True))
        elif event.key() == Qt.Key.Key_Escape and self.views.is_maximised:
            self.views.maximise(None)
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """The overlays come back."""
        if event.key() == Qt.Key.Key_H and not event.isAutoRepeat():
            self.state.set_visibility(attrs.evolve(self.state.visibility, is_bare=False))
        else:
            super().keyReleaseEvent(event)

    def abandon(self) -> None:
        """A page that was begun and will not be finished: stop listening."""
        self._is_closed = True
        self._unsubscribe()
        if self._make_actions not in self._to_make:
            self.keeper.close()

    def close_page(self) -> None:
        """Stop listening and free what the views hold."""
        self._is_closed = True
        self.keeper.close()
        self._unsubscribe()
        if self.compare_window is not None:
            self.compare_window.close_window()
        self._flush.stop()
        self.views.close_views()


def _first_point(workspace: PlanWorkspace) -> Float3:
    """Where to look first: the first beam's isocentre, else the middle of the target, else of the image."""
    plan, image = workspace.plan, workspace.image
    if plan.beams:
        return plan.beams[0].isocentre_cm
    target = workspace.structures.structure(plan.prescription.target_number)
    if not target.is_empty:
        points = np.concatenate([c.points_cm for c in target.contours])
        x, y, z = (points.min(axis=0) + points.max(axis=0)) / 2
        return float(x), float(y), float(z)
    nz, ny, nx = image.grid.shape_zyx
    x, y, z = image.grid.point_cm(((nx - 1) / 2, (ny - 1) / 2, (nz - 1) / 2))
    return float(x), float(y), float(z)
