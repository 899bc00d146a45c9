"""The window: pages, menus, the head that names the patient, and what happens between pages."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtGui import QAction, QCloseEvent, QKeySequence
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from ert.app.identity_ports import IdentityClient
from ert.app.jobs import Jobs, Lane
from ert.app.ports import SiteGateway
from ert.app.session import SiteSession
from ert.domain.account import Right
from ert.domain.patient import Patient
from ert.ui.command_palette import open_palette
from ert.ui.dialogs import AboutDialog, UnsavedAnswer, ask_unsaved
from ert.ui.failures import sentence_of
from ert.ui.help_dialogs import show_keys
from ert.ui.icons import icon
from ert.ui.jobs_bridge import add_job_strip
from ert.ui.page_header import ElidedLabel, PageHeader
from ert.ui.patient_page import PatientPage
from ert.ui.plan_opening import PageInTheMaking, open_for_window
from ert.ui.recent_sites import remember_geometry, saved_geometry
from ert.ui.record_care import RecordCare
from ert.ui.session_control import SessionControl, sign_out
from ert.ui.sign_in_page import SignInPage
from ert.ui.site_care import SiteCare
from ert.ui.site_dialogs import (
    choose_machine,
    open_curves,
    open_keys,
    open_machines,
    open_materials,
    open_settings,
    open_studio,
)
from ert.ui.widgets import MessageStrip, text_label

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace
    from ert.ui.plan_page import PlanPage


class MainWindow(QMainWindow):
    """Sign in, then patients, then a plan.

    Parameters
    ----------
    gateway : SiteGateway
        Makes and opens sites.
    jobs : Jobs
        Dispatches to this window's thread.
    identity : IdentityClient, optional
        Talks to sign-in providers.
    with_3d : bool
        Whether plans get a 3D view.
    """

    def __init__(
        self, gateway: SiteGateway, jobs: Jobs, *, identity: IdentityClient | None = None, with_3d: bool = True
    ) -> None:
        super().__init__()
        self.gateway, self._jobs, self._with_3d = gateway, jobs, with_3d
        self.session: SiteSession | None = None
        self.plan_page: PlanPage | None = None
        self.patient_page: PatientPage | None = None
        self.header: PageHeader | None = None
        self.sign_in = SignInPage(gateway, jobs, identity)
        self.message = MessageStrip()
        self._pages = QStackedWidget()
        self._head = QVBoxLayout()
        self._probe = ElidedLabel()
        self._is_opening = False
        self._making: PageInTheMaking | None = None
        self.care = SiteCare(self, jobs, self.message)
        self.records = RecordCare(self)
        self.control = SessionControl(self, jobs, identity)
        self.setWindowTitle("ERT")
        self.setWindowIcon(icon("ert"))
        self.setMinimumSize(1024, 700)
        self._build()
        self._build_menus()
        self.sign_in.opened.connect(self.show_site)
        self._show_header(None)
        self.sign_in.show_sign_in()
        geometry = saved_geometry()
        if geometry is None or not self.restoreGeometry(geometry):
            self.resize(1440, 900)

    def _build(self) -> None:
        whole = QWidget()
        layout = QVBoxLayout(whole)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(self._head)
        layout.addWidget(self.control.notice)
        layout.addWidget(self.message)
        layout.addWidget(self._pages, 1)
        self._pages.addWidget(self.sign_in)
        self.setCentralWidget(whole)
        bar = self.statusBar()
        bar.addWidget(self._probe, 1)
        add_job_strip(bar, self._jobs)
        bar.addPermanentWidget(self.care.status)
        bar.addPermanentWidget(text_label(f"ERT {metadata.version('ert')}"))

    def _build_menus(self) -> None:
        self.palette_action = self._action("Find an action…", self.show_palette, "Ctrl+K")
        self.sign_out_action = self._action("Sign out", self.sign_out, "")
        self.machines_action = self._action("Machines…", partial(self._with_session, open_machines), "")
        self.add_machine_action = self._action("Add machine…", partial(self._with_session, choose_machine), "")
        self.studio_action = self._action("Commissioning studio…", partial(self._with_session, open_studio), "")
        self.curves_action = self._action("CT curves…", partial(self._with_session, open_curves), "")
        self.materials_action = self._action("Materials…", partial(self._with_session, open_materials), "")
        self.settings_action = self._action("Settings…", partial(self._with_session, open_settings), "")
        self.keys_action = self._action("Recovery code and keys…", partial(self._with_session, open_keys), "")
        self._quit = self._action("Quit", self.close, "Ctrl+Q")
        self._keys = self._action("Keys and mouse", lambda: show_keys(self), "F1")
        self._about = self._action("About ERT", lambda: AboutDialog(self).open(), "")
        self._refill_menus()

    def _action(self, text: str, slot: Callable[[], object], keys: str) -> QAction:
        action = QAction(text, self)
        action.triggered.connect(lambda _checked=False: slot())
        if keys:
            action.setShortcut(QKeySequence(keys))
        self.addAction(action)
        return action

    def _refill_menus(self) -> None:
        bar = self.menuBar()
        bar.clear()
        site = bar.addMenu("&Site")
        entries = [
            self.machines_action,
            self.add_machine_action,
            self.studio_action,
            self.curves_action,
            self.materials_action,
            self.settings_action,
            self.keys_action,
        ]
        site.addActions(entries)
        site.addSeparator()
        site.addActions(self.records.actions)
        site.addSeparator()
        site.addActions(self.care.actions)
        site.addSeparator()
        site.addActions([*self.control.actions, self.sign_out_action, self._quit])
        own = (*self.control.actions, self.sign_out_action)
        for action in itertools.chain(entries, self.records.actions, self.care.actions, own):
            action.setEnabled(self._may(action))
        if self.plan_page is not None:
            for title, actions in self.plan_page.actions_.menus.items():
                menu = bar.addMenu(title)
                for entry in actions:
                    if entry is None:
                        menu.addSeparator()
                    else:
                        menu.addAction(entry)
        bar.addMenu("&Help").addActions([self.palette_action, self._keys, self._about])

    def _may(self, action: QAction) -> bool:
        """Whether an entry is of use; the services decide, menus only say so beforehand."""
        needed = {
            self.add_machine_action: Right.CONFIGURE,
            self.studio_action: Right.CONFIGURE,
            **dict.fromkeys(self.control.administration, Right.ADMINISTER),
            self.control.password_action: Right.OWN_ACCOUNT,
            self.keys_action: Right.ADMINISTER,
            self.records.activity_action: Right.ADMINISTER,
        }
        return self.session is not None and needed.get(action, Right.OWN_SESSION) in self.session.account.rights

    def rights_changed(self) -> None:
        """What the user may do is different now."""
        self._refill_menus()

    def _with_session(self, opens: Callable[[MainWindow, SiteSession], None]) -> None:
        if self.session is not None:
            opens(self, self.session)

    def _show_header(self, session: SiteSession | None) -> None:
        if self.header is not None:
            self._head.removeWidget(self.header)
            self.header.deleteLater()
        site, user = ("–", "–") if session is None else (session.site_name, session.user_name)
        is_demo = session is not None and session.has_demo_machine
        banner = "" if session is None else session.emergency_banner
        self.header = PageHeader(site_text=site, user_name=user, is_demo=is_demo, emergency=banner)
        if session is None:
            self.header.hide_patient()
        self._head.addWidget(self.header)

    def _show_patient(self, patient: Patient | None) -> None:
        if self.header is not None:
            self.header.show_patient(patient)

    def _show_plan_title(self) -> None:
        page = self.plan_page
        if page is None or self.header is None:
            return
        workspace = page.workspace
        self.header.show_patient(workspace.patient, page.title, workspace.readiness.review)
        self.header.set_demo(is_demo=any(p.is_demo for p in workspace.models.packages))
        self.setWindowTitle(page.window_title)

    # ---- site ----------------------------------------------------------------------------------------------------

    def show_site(self, session: SiteSession) -> None:
        """A site was opened: show its patients."""
        self.session = session
        self._show_header(session)
        page = self.patient_page = PatientPage(session)
        page.plan_chosen.connect(self.open_plan)
        page.patient_chosen.connect(self._show_patient)
        page.machine_wanted.connect(self.add_machine_action.trigger)
        self._pages.addWidget(page)
        self._pages.setCurrentWidget(page)
        self.setWindowTitle(f"{session.site_name} – ERT")
        self.care.set_session(session)
        self.records.set_session(session)
        self.control.set_session(session)
        self._refill_menus()

    def sign_out(self, then: Callable[[], None] | None = None) -> None:
        """Close the site, after asking about unsaved edits; ``then`` is called when it is closed."""
        if self.session is not None and self.leave_plan(partial(self.sign_out, then)):
            self.leave_site(then=then)

    def leave_site(self, sentence: str = "", *, then: Callable[[], None] | None = None) -> None:
        """Close the site as it is, unsaved edits taken care of before; say why at the sign-in."""
        if self.session is None:
            return
        self._drop_making()
        if self.plan_page is not None:
            self._close_plan_page(self.plan_page)
        if self.patient_page is not None:
            self._pages.removeWidget(self.patient_page)
            self.patient_page.deleteLater()
            self.patient_page = None
        session, self.session = self.session, None
        self.care.set_session(None)
        self.records.set_session(None)
        self.control.set_session(None)
        self._jobs.submit(
            Lane.IO,
            lambda _ctx: sign_out(session),
            title="Closing the site",
            can_stop=False,
            on_done=None if then is None else lambda _closed: then(),
            on_failed=self.show_failure,
        )
        self._show_header(None)
        self.sign_in.show_sign_in(session.site_path)
        if sentence:
            self.sign_in.message.show_note(sentence)
        self._pages.setCurrentWidget(self.sign_in)
        self.setWindowTitle("ERT")
        self._refill_menus()

    def machines_changed(self, sentence: str) -> None:
        """Machines of the site changed; say so."""
        self.message.show_note(f"{sentence} Plans opened from now on can use it.")
        if self.header is not None and self.session is not None:
            self.header.set_demo(is_demo=self.session.has_demo_machine)

    def library_changed(self) -> None:
        """CT curves or materials of the site changed."""
        if self.plan_page is not None:
            self.plan_page.workspace.library_changed()

    # ---- plan ----------------------------------------------------------------------------------------------------

    def open_plan(self, plan_id: str) -> None:
        """Read a plan in the background, then show it."""
        session = self.session
        if session is None or self._is_opening or not self.leave_plan(lambda: self.open_plan(plan_id)):
            return
        self._is_opening = True
        self._jobs.submit(
            Lane.IO,
            lambda ctx: open_for_window(session, plan_id, ctx),
            title="Opening the plan",
            on_done=self.show_workspace,
            on_failed=self.show_failure,
            on_cancelled=self._opening_stopped,
        )

    def show_workspace(self, workspace: PlanWorkspace) -> None:
        """A plan was opened: make its page, a part in each turn of the event loop, then show it."""
        session = self.session
        if session is None or self.plan_page is not None or self._making is not None:
            self._is_opening = self._making is not None
            workspace.close()
            return
        self._is_opening = True
        self._making = PageInTheMaking(workspace, session, self._pages, self._show_page, with_3d=self._with_3d)

    def _show_page(self, page: PlanPage) -> None:
        self._is_opening, self._making = False, None
        self.plan_page = page
        workspace = page.workspace
        page.left.connect(self.back_to_patients)
        page.probed.connect(self._probe.set_full_text)
        page.plan_shown.connect(self._show_plan_title)
        page.materials_wanted.connect(self.materials_action.trigger)
        page.keeper.look_wanted.connect(lambda revision: self.records.look_at(workspace.plan.id, revision))
        page.saved_as.connect(lambda plan_id: self._show_instead(page, plan_id))
        page.views.hold_slices_back()
        self._pages.setCurrentWidget(page)
        self.message.clear_note()
        self._refill_menus()
        self._show_plan_title()
        if workspace.plan.beams and workspace.dose.status != "current":
            QTimer.singleShot(0, page, workspace.compute_dose)

    def _drop_making(self) -> None:
        if self._making is not None:
            self._making.drop()
            self._is_opening, self._making = False, None

    def _opening_stopped(self) -> None:
        self._is_opening = False
        self.message.show_note("Opening the plan was stopped.")

    def back_to_patients(self) -> None:
        """Leave the plan, after asking about unsaved edits."""
        if self.plan_page is None or self.patient_page is None:
            return
        plan = self.plan_page.workspace.plan
        if self.leave_plan(self.back_to_patients):
            self.patient_page.refresh(select_course=plan.course_id, select_plan=plan.id)

    def leave_plan(self, then: Callable[[], object]) -> bool:
        """Close the open plan; False if the user stays, or if ``then`` is called later, after saving."""
        page = self.plan_page
        if page is None:
            return True
        workspace = page.workspace
        if workspace.is_dirty:
            answer = ask_unsaved(self, workspace.plan.name)
            if answer is UnsavedAnswer.CANCEL:
                return False
            if answer is UnsavedAnswer.SAVE:
                workspace.save(then)
                return False
        self._close_plan_page(page)
        return True

    def _show_instead(self, page: PlanPage, plan_id: str) -> None:
        """Go on with the plan the edits were saved in."""
        if page is not self.plan_page:
            return
        self._close_plan_page(page)
        if self.patient_page is not None:
            self.patient_page.refresh(select_plan=plan_id)
        self.open_plan(plan_id)

    def _close_plan_page(self, page: PlanPage) -> None:
        page.close_page()
        page.workspace.close()
        self.plan_page = None
        self._pages.removeWidget(page)
        page.deleteLater()
        self._probe.set_full_text("")
        if self.patient_page is not None:
            self._pages.setCurrentWidget(self.patient_page)
            self._show_patient(self.patient_page.chosen_patient)
        if self.session is not None:
            self.setWindowTitle(f"{self.session.site_name} – ERT")
        self._refill_menus()

    def show_failure(self, error: BaseException) -> None:
        """Say why something did not happen."""
        self._is_opening = False
        self.message.show_error(sentence_of(error))

    def show_palette(self) -> None:
        """Find an action by name."""
        of_plan = [] if self.plan_page is None else self.plan_page.actions()
        open_palette(self, [*of_plan, *(a for a in self.actions() if a is not self.palette_action)])

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask about unsaved edits; remember where the window was."""
        if not self.leave_plan(self.close):
            event.ignore()
            return
        self._drop_making()
        self.records.close_looks()
        remember_geometry(self.saveGeometry())
        event.accept()
