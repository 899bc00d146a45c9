"""The application: guard, theme, crash handling, the window."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import PySide6

from ert import logs
from ert.errors import SelfTestFailed

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from ert.app.identity_ports import IdentityClient
    from ert.app.jobs import JobContext, Jobs
    from ert.app.ports import SiteGateway
    from ert.app.session import SiteSession
    from ert.ui.jobs_bridge import Dispatcher
    from ert.ui.main_window import MainWindow

_FIRST_FAULTY_PYSIDE = (6, 12)
_FIRST_IMMORTAL_NONE = (3, 12)
_MAX_CRASH_DIALOGS = 3
_TURN_S = 0.001
"""How long a thread may work in Python while another waits for its turn."""


def check_platform(
    python: tuple[int, ...] = sys.version_info[:2], pyside: tuple[int, ...] = tuple(PySide6.__version_info__[:2])
) -> None:
    """Refuse a pair of Python and PySide6 that loses references to None and aborts after some thousand calls.

    Raises
    ------
    SelfTestFailed
        For PySide6 6.12 or newer on Python before 3.12.
    """
    if python < _FIRST_IMMORTAL_NONE and pyside >= _FIRST_FAULTY_PYSIDE:
        have = ".".join(map(str, pyside))
        raise SelfTestFailed(
            f"PySide6 {have} cannot be used on Python {'.'.join(map(str, python))}: "
            "it would end the program without warning.",
            hint="Install PySide6_Essentials 6.11.3, or use Python 3.12 or newer.",
        )


def prepare_qt() -> None:
    """What must be set before Qt and VTK are loaded."""
    if sys.platform == "linux":
        has_display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
        if not has_display or os.environ.get("QT_QPA_PLATFORM") == "offscreen":
            os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")


def take_short_turns() -> None:
    """Have threads hand on Python's lock after a fifth of the usual time.

    Painting lets go of the lock at each call into Qt and VTK, and must get it back after each. While a job works in
    Python, as when it loads the kernels of the first Monte Carlo run, twenty calls cost twenty turns: 100 ms of waiting
    with Python's 5 ms, for a few milliseconds of work.
    """
    sys.setswitchinterval(_TURN_S)


def make_application(arguments: list[str]) -> QApplication:
    """The QApplication with theme and C locale."""
    from PySide6.QtCore import QLocale
    from PySide6.QtWidgets import QApplication

    from ert.ui.icons import icon
    from ert.ui.theme import apply_theme

    # a comma read as a thousands sign, or the reverse, is a hazard: numbers look alike on every computer
    QLocale.setDefault(QLocale.c())
    app = QApplication(arguments)
    app.setApplicationName("ert")
    app.setApplicationDisplayName("ERT")
    app.setOrganizationName("ert")
    apply_theme(app)
    app.setWindowIcon(icon("ert"))
    return app


class CrashHandler:
    """What happens to an exception nobody caught: it is logged, and the user is told what was kept.

    Parameters
    ----------
    window : callable
        Gives the window to stand over, or None.
    """

    def __init__(self, window: Callable[[], MainWindow | None]) -> None:
        self._window = window
        self._shown = 0

    def install(self) -> None:
        """Take over from Python's own report."""
        sys.excepthook = self.handle

    def handle(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Log and show; never raises."""
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        code = logs.record_fault(error)
        sys.__excepthook__(kind, error, trace)
        self._shown += 1
        if self._shown > _MAX_CRASH_DIALOGS:
            return  # the same fault in every repaint must not bury the window
        from ert.ui.dialogs import FaultDialog

        dialog = FaultDialog(code, kind.__name__, self._window())
        dialog.open()


def start(
    gateway: SiteGateway,
    *,
    identity: IdentityClient | None = None,
    site: Path | None = None,
    credentials: tuple[str, str] | None = None,
    plan_id: str | None = None,
    with_3d: bool = True,
    on_ready: Callable[[MainWindow], None] | None = None,
) -> int:
    """Run the program until its window is closed.

    Parameters
    ----------
    gateway : SiteGateway
        Makes and opens sites.
    identity : IdentityClient, optional
        Talks to sign-in providers.
    site : Path, optional
        Site to sign in to.
    credentials : (user, password), optional
        Signs in without asking; for the demonstration site only.
    plan_id : str, optional
        Plan to open after that.
    with_3d : bool
        Whether plans get a 3D view.
    on_ready : callable, optional
        Called with the window once it is on screen and takes input.

    Returns
    -------
    int
        Exit code; 3 if this computer cannot run the window.
    """
    try:
        check_platform()
    except SelfTestFailed as error:
        sys.stderr.write(f"{error}\n")
        return 3
    prepare_qt()
    take_short_turns()
    logs.start()
    app = make_application(sys.argv[:1])
    from ert.app.jobs import Jobs
    from ert.ui.garbage import GarbageCollector
    from ert.ui.jobs_bridge import Dispatcher
    from ert.ui.main_window import MainWindow
    from ert.ui.plan_opening import load_screens

    collector = GarbageCollector()
    dispatcher = Dispatcher()
    jobs = Jobs(dispatcher)
    window = MainWindow(gateway, jobs, identity=identity, with_3d=with_3d)
    CrashHandler(lambda: window).install()
    if site is not None:
        window.sign_in.show_sign_in(site)
    window.show()
    spare_collector()
    load_screens(window, spare_collector)
    _test_engines(window, jobs)
    if site is not None and credentials is not None:
        _sign_in(window, gateway, jobs, site=site, credentials=credentials, plan_id=plan_id)
    if on_ready is not None:
        from PySide6.QtCore import QTimer

        QTimer.singleShot(0, window, lambda: on_ready(window))
    code = app.exec()
    _finish(window, jobs, dispatcher)
    collector.stop()
    return code


def _test_engines(window: MainWindow, jobs: Jobs) -> None:
    """Behind the sign-in: the self-test of each dose engine, which also loads or compiles its kernels."""
    from ert.app.jobs import Lane
    from ert.domain.algorithm import Algorithm
    from ert.domain.statements import ALGORITHM_NAMES

    *_, last = Algorithm
    for algorithm in Algorithm:

        def test(_ctx: JobContext, algorithm: Algorithm = algorithm) -> None:
            from ert.app.selftest import require_tested_engine

            require_tested_engine(algorithm)

        jobs.submit(
            Lane.DOSE,
            test,
            title=f"Testing the dose engine: {ALGORITHM_NAMES[algorithm]}",
            on_done=(lambda _: spare_collector()) if algorithm is last else None,
            on_failed=window.show_failure,
        )


def spare_collector() -> None:
    """Have Python's search for cycles leave out what was loaded until now, which lives as long as the program.

    The search stops every thread, the window's too, for a tenth of a second and more, and a long list read behind the
    window brings it about again and again.
    """
    gc.freeze()


def _sign_in(
    window: MainWindow,
    gateway: SiteGateway,
    jobs: Jobs,
    *,
    site: Path,
    credentials: tuple[str, str],
    plan_id: str | None,
) -> None:
    from ert.app.jobs import Lane
    from ert.app.session import SiteSession

    user, password = credentials

    def opened(session: SiteSession) -> None:
        window.show_site(session)
        if plan_id is not None:
            window.open_plan(plan_id)

    jobs.submit(
        Lane.IO,
        lambda _ctx: SiteSession.open(gateway, jobs, site, user_name=user, password=password),
        title="Opening the site",
        can_stop=False,
        on_done=opened,
        on_failed=window.show_failure,
    )


def _finish(window: MainWindow, jobs: Jobs, dispatcher: Dispatcher) -> None:
    """Stop work, close the site, drop what nobody will see any more."""
    for job in jobs.active():
        job.cancel()
    session = window.session
    if session is not None:
        session.close()
    window.sign_in.close_unfinished()
    jobs.shutdown()
    dispatcher.close()
    logs.stop()
