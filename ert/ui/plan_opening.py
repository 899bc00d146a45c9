"""What is done before a plan is shown in the window: modules are loaded, surfaces and kernels prepared beside it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QStackedWidget

from ert.ui.sections import Sections

if TYPE_CHECKING:
    from ert.app.jobs import JobContext
    from ert.app.session import SiteSession
    from ert.app.workspace import PlanWorkspace
    from ert.ui.plan_page import PlanPage

_MODULES = (
    "ert.ui.view_grid", "ert.ui.beam_panel", "ert.ui.structure_panel", "ert.ui.override_panel", "ert.ui.isodose_panel",
    "ert.ui.prescription_panel", "ert.ui.evaluation_panel", "ert.ui.mu_panel", "ert.ui.plan_keeper",
    "ert.ui.plan_actions", "ert.ui.plan_page", "ert.ui.plots",
)  # fmt: skip
"""What the planning page needs, the plot library last; in pieces, each of which takes a moment."""
_PIECE_MS = 1  # not 0: Qt would go from one piece to the next without looking at the keyboard


def load_screens(parent: QObject, on_loaded: Callable[[], object]) -> None:
    """Import the planning page's modules, one in each turn of the event loop.

    In the window's thread: Qt's Python classes are not made in two threads at a time.
    """
    left = list(_MODULES)

    def load_next() -> None:
        if not left:
            on_loaded()
            return
        importlib.import_module(left.pop(0))
        QTimer.singleShot(_PIECE_MS, parent, load_next)

    QTimer.singleShot(_PIECE_MS, parent, load_next)


def open_for_window(session: SiteSession, plan_id: str, ctx: JobContext) -> PlanWorkspace:
    """Open a plan so that showing it makes the window wait as little as can be; raises as `SiteSession.open_plan`."""
    workspace = session.open_plan(plan_id, ctx)
    workspace.tools.prepare(workspace.plan)
    _cut_external(workspace)
    return workspace


def _cut_external(workspace: PlanWorkspace) -> None:
    """The first outlines load the kernels that cut structures: here instead of in the first painting."""
    sections = Sections(workspace.image, workspace.structures)
    for axis, count in enumerate(reversed(workspace.image.grid.shape_zyx)):
        sections.outlines(workspace.plan.external_number, axis, count // 2)


class PageInTheMaking:
    """A planning page that is made a part in each turn of the event loop, put among the pages, then handed over."""

    def __init__(
        self,
        workspace: PlanWorkspace,
        session: SiteSession,
        pages: QStackedWidget,
        on_made: Callable[[PlanPage], None],
        *,
        with_3d: bool,
    ) -> None:
        from ert.ui.plan_page import PlanPage

        self.page = PlanPage(workspace, session, with_3d=with_3d, is_whole=False)
        self._pages, self._on_made = pages, on_made
        self._is_dropped = False
        self._go_on()

    def _go_on(self) -> None:
        QTimer.singleShot(_PIECE_MS, self.page, self._make)

    def _make(self) -> None:
        if self._is_dropped:
            return
        if self.page.make_next():
            self._go_on()
        elif self._pages.indexOf(self.page) < 0:
            self._pages.addWidget(self.page)
            self._go_on()
        else:
            self._on_made(self.page)

    def drop(self) -> None:
        """The site or the window is left meanwhile: nobody will see the page."""
        self._is_dropped = True
        self.page.abandon()
        self.page.workspace.close()
        self._pages.removeWidget(self.page)
        self.page.deleteLater()
