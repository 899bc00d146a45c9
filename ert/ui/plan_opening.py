"""What is done beside the window before a plan is shown in it: libraries are loaded, surfaces and kernels prepared."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ert.app.jobs import JobContext
    from ert.app.session import SiteSession
    from ert.app.workspace import PlanWorkspace

_SCREENS = ("ert.ui.plan_page", "ert.ui.plots")
"""The modules that the planning page needs, and with them the plot library."""


def load_screens() -> None:
    """Import the planning page's modules on this thread; costs nothing the second time."""
    for name in _SCREENS:
        importlib.import_module(name)


def open_for_window(session: SiteSession, plan_id: str, ctx: JobContext) -> PlanWorkspace:
    """Open a plan so that showing it makes the window wait as little as can be; raises as `SiteSession.open_plan`."""
    load_screens()
    workspace = session.open_plan(plan_id, ctx)
    workspace.tools.prepare(workspace.plan)
    _cut_external(workspace)
    return workspace


def _cut_external(workspace: PlanWorkspace) -> None:
    """The first outlines load the kernels that cut structures: here instead of in the first painting."""
    from ert.ui.sections import Sections

    sections = Sections(workspace.image, workspace.structures)
    for axis, count in enumerate(reversed(workspace.image.grid.shape_zyx)):
        sections.outlines(workspace.plan.external_number, axis, count // 2)
