"""Windows on what belongs to the whole site: machines, commissioning, CT curves, materials, keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog

from ert.app.jobs import JobContext, Lane
from ert.app.session import SiteSession
from ert.domain.account import Right
from ert.ui.only_looking import say_if_only_looking

if TYPE_CHECKING:
    from ert.ui.curve_dialog import CurvesDialog
    from ert.ui.main_window import MainWindow
    from ert.ui.material_dialog import MaterialsDialog


def open_machines(window: MainWindow, session: SiteSession) -> None:
    """The site's machines and their configuration."""
    from ert.ui.machines_dialog import MachinesDialog

    dialog = MachinesDialog(session, window)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.machines_changed.connect(window.machines_changed)
    say_if_only_looking(dialog.message, session.account, Right.CONFIGURE, "changing it")
    dialog.open()


def choose_machine(window: MainWindow, session: SiteSession) -> None:
    """Ask for a machine package and add it."""
    chosen = QFileDialog.getExistingDirectory(window, "Machine package (folder made by ert commission)")
    if chosen:
        add_machine(window, session, Path(chosen))


def add_machine(window: MainWindow, session: SiteSession, path: Path) -> None:
    """Add a machine package to the site, in the background."""
    session.jobs.submit(
        Lane.IO,
        lambda _ctx: session.add_machine(path),
        title="Adding the machine",
        can_stop=False,
        on_done=lambda package: window.machines_changed(f"Machine '{package.machine.name}' was added."),
        on_failed=window.show_failure,
    )


def open_studio(window: MainWindow, session: SiteSession) -> None:
    """Fit beam models to measured data."""
    from ert.ui.studio_window import StudioWindow

    studio = StudioWindow(session, window)
    studio.package_saved.connect(lambda path: add_machine(window, session, path))
    studio.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    studio.show()


def open_curves(window: MainWindow, session: SiteSession) -> None:
    """See and edit the CT curves of the site."""
    from ert.ui.curve_dialog import CurvesDialog

    _open_library(window, session, CurvesDialog(session, window))


def open_materials(window: MainWindow, session: SiteSession) -> None:
    """See all materials and define the site's own."""
    from ert.ui.material_dialog import MaterialsDialog

    _open_library(window, session, MaterialsDialog(session, window))


def open_settings(window: MainWindow, session: SiteSession) -> None:
    """See and change the settings of this workstation."""
    from ert.ui.settings_dialog import SettingsDialog

    SettingsDialog(session, window).open()


def _open_library(window: MainWindow, session: SiteSession, dialog: CurvesDialog | MaterialsDialog) -> None:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.library_changed.connect(window.library_changed)
    say_if_only_looking(dialog.message, session.account, Right.CONFIGURE, "changing it")
    dialog.open()


def open_keys(window: MainWindow, session: SiteSession) -> None:
    """Renew passwords, recovery code and keys of the site."""
    from ert.ui.keys_dialog import KeysDialog

    dialog = KeysDialog(session, window)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.data_renewal_wanted.connect(lambda password: _renew_data_keys(window, session, password))
    dialog.open()


def _renew_data_keys(window: MainWindow, session: SiteSession, password: str) -> None:
    """Leave the site, then put new data keys on it."""

    def work(ctx: JobContext) -> None:
        def progress(fraction: float, text: str) -> None:
            ctx.check()
            ctx.progress(fraction, text)

        window.gateway.renew_data_keys(
            session.site_path, user_name=session.user_name, password=password, progress=progress
        )

    def start() -> None:
        window.message.show_note("The data keys are being renewed; nobody can sign in meanwhile.")
        session.jobs.submit(
            Lane.IO,
            work,
            title="Renewing the data keys",
            on_done=lambda _done: window.message.show_note(
                "The data keys were renewed. Sign in, then write the files anew: Site, Recovery code and keys…"
            ),
            on_failed=window.show_failure,
            on_cancelled=lambda: window.message.show_note("Stopped; the site opens with the keys it had."),
        )

    window.sign_out(start)
