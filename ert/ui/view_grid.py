"""The five views of a plan, side by side; a double-click gives one of them all the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from ert.app.jobs import Lane
from ert.ui.beam_eye_view import BeamEyeView
from ert.ui.jobs_bridge import while_there
from ert.ui.patient_3d_view import View3D
from ert.ui.sections import Sections
from ert.ui.slice_layers import DoseLayer
from ert.ui.slice_view import SliceView
from ert.ui.view_state import ViewState

if TYPE_CHECKING:
    from ert.app.jobs import Jobs
    from ert.app.workspace import PlanWorkspace


_APART_MS = 100  # a slice is drawn in a part of it on a slow computer


class ViewGrid(QWidget):
    """Axial large; coronal and sagittal; beam's eye view and 3D.

    Signals
    -------
    pointed_at(point) : patient point under the pointer, or None.
    """

    pointed_at = Signal(object)

    def __init__(
        self,
        workspace: PlanWorkspace,
        state: ViewState,
        sections: Sections,
        jobs: Jobs,
        *,
        with_3d: bool,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace, self._jobs = workspace, jobs
        self.slices = {axis: SliceView(workspace, state, axis, sections=sections) for axis in (2, 1, 0)}
        self.beam_eye = BeamEyeView(workspace, state)
        self.view_3d = View3D(workspace, state, jobs) if with_3d else None
        self._maximised: QWidget | None = None
        self._behind: list[SliceView] = []
        self._catch_up = QTimer(self)
        self._catch_up.setInterval(_APART_MS)
        self._catch_up.timeout.connect(self._refresh_next)
        self._columns = QSplitter(Qt.Orientation.Horizontal)
        self._middle = QSplitter(Qt.Orientation.Vertical)
        self._right = QSplitter(Qt.Orientation.Vertical)
        self._build()

    def _build(self) -> None:
        self._middle.addWidget(self.slices[1])
        self._middle.addWidget(self.slices[0])
        self._right.addWidget(self.beam_eye)
        if self.view_3d is not None:
            self._right.addWidget(self.view_3d)
        self._columns.addWidget(self.slices[2])
        self._columns.addWidget(self._middle)
        self._columns.addWidget(self._right)
        for n, weight in enumerate((46, 27, 27)):
            self._columns.setStretchFactor(n, weight)
        self._columns.setSizes([460, 270, 270])
        for splitter in (self._columns, self._middle, self._right):
            splitter.setChildrenCollapsible(False)
        for splitter in (self._middle, self._right):
            splitter.setSizes([100, 100])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._columns)
        for view in self.views:
            view.maximise_requested.connect(lambda chosen=view: self.toggle_maximised(chosen))
        for slice_view in self.slices.values():
            slice_view.pointed_at.connect(self.pointed_at)

    @property
    def views(self) -> list[SliceView | BeamEyeView | View3D]:
        """All views."""
        return [*self.slices.values(), self.beam_eye, *([self.view_3d] if self.view_3d is not None else [])]

    def toggle_maximised(self, view: QWidget) -> None:
        """Give a view all the room, or give the others theirs back."""
        self.maximise(None if self._maximised is view else view)

    def maximise(self, view: QWidget | None) -> None:
        """Show one view only, or all."""
        self._maximised = view
        for other in self.views:
            other.setVisible(view is None or other is view)
        for column in (self._middle, self._right):
            parts = (column.widget(n) for n in range(column.count()))
            column.setVisible(any(part is not None and not part.isHidden() for part in parts))

    @property
    def is_maximised(self) -> bool:
        """Whether one view has all the room."""
        return self._maximised is not None

    def hold_slices_back(self) -> None:
        """The page is about to be shown: each slice is drawn in a turn of its own, after everything else."""
        for view in self.slices.values():
            view.setUpdatesEnabled(False)
            view.refresh()

    def refresh(self) -> None:
        """Plan or dose changed."""
        self._forget_behind()
        for view in self.views:
            view.refresh()

    def refresh_dose(self) -> None:
        """The dose changed: only slices show it."""
        self._forget_behind()
        for view in self.slices.values():
            view.refresh()

    def refresh_picture(self) -> None:
        """A preview has a better picture: the largest slice shows it at once, the others one after the other.

        They follow however fast pictures come, and none of them is drawn more often than the hand's own view allows.
        What each shows, dose and field edges, is of one state (ADR 0034).
        """
        shown = [view for view in self.slices.values() if view.isVisible()] or list(self.slices.values())
        first, *others = shown
        self._show_picture(first)
        self._behind += [view for view in others if view not in self._behind]
        if self._behind and not self._catch_up.isActive():
            self._catch_up.start()

    def _refresh_next(self) -> None:
        if self._behind:
            self._show_picture(self._behind.pop(0))
        if not self._behind:
            self._catch_up.stop()

    def _show_picture(self, view: SliceView) -> None:
        """Have a run's picture made beside the window; one that follows the hand is faster without the detour."""
        if self._workspace.dose.final_run is None:
            view.refresh_picture()
            return
        question = view.dose_question()

        def made(layer: DoseLayer | None) -> None:
            view.ahead.keep(question, layer)
            view.refresh_picture()

        self._jobs.submit(
            Lane.PICTURE,
            lambda _ctx: question.layer(),
            title=f"Dose on a slice, {view.geometry_.name}",
            supersedes=f"slice {view.geometry_.axis}",
            can_stop=False,
            on_done=while_there(view, made),
            on_failed=while_there(view, lambda _error: view.refresh_picture()),
        )

    def _forget_behind(self) -> None:
        self._behind.clear()
        self._catch_up.stop()

    def close_views(self) -> None:
        """The plan is being closed."""
        if self.view_3d is not None:
            self.view_3d.close_scene()
