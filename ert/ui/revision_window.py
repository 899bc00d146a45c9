"""An earlier or a colleague's revision of a plan, as it was saved, in a window of its own; nothing in it can change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QMainWindow, QVBoxLayout, QWidget

from ert.ui.page_header import ElidedLabel, PageHeader
from ert.ui.plan_page import PlanPage
from ert.ui.widgets import MessageStrip

if TYPE_CHECKING:
    from ert.app.session import SiteSession
    from ert.app.workspace import PlanWorkspace


class RevisionWindow(QMainWindow):
    """The planning page on one revision, read-only.

    Parameters
    ----------
    workspace : PlanWorkspace
        Opened read-only; closed with the window.
    """

    def __init__(self, workspace: PlanWorkspace, session: SiteSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        stored, plan = workspace.stored, workspace.plan
        self.workspace = workspace
        self.setWindowTitle(f"Revision {stored.revision}, read-only – {plan.name} – {workspace.patient.display_name}")
        self.resize(1360, 860)
        is_demo = any(p.is_demo for p in workspace.models.packages)
        header = PageHeader(
            site_text=session.site_name,
            user_name=session.user_name,
            is_demo=is_demo,
            emergency=session.emergency_banner,
        )
        header.show_patient(workspace.patient, f"{workspace.course.name}  ·  {plan.name}  ·  {workspace.saved_text}")
        self.banner = MessageStrip()
        self.banner.show_warning(
            f"READ-ONLY: revision {stored.revision} as {stored.saved_by} saved it at "
            f"{stored.saved_at.astimezone():%H:%M:%S on %Y-%m-%d}. To work on it, restore it from the plan's history."
        )
        self.page = PlanPage(workspace, session, with_3d=False)
        whole = QWidget()
        layout = QVBoxLayout(whole)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(header)
        layout.addWidget(self.banner)
        layout.addWidget(self.page, 1)
        self.setCentralWidget(whole)
        probe = ElidedLabel()
        self.statusBar().addWidget(probe, 1)
        self.page.probed.connect(probe.set_full_text)
        self.page.left.connect(self.close)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Free what the views hold and stop what is computed for them."""
        self.page.close_page()
        self.workspace.close()
        event.accept()
