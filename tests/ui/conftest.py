"""The window of the real program on a real site."""

from __future__ import annotations

import pytest

from ert.app.jobs import Jobs
from ert.app.session import SiteSession
from ert.ui.garbage import GarbageCollector
from ert.ui.jobs_bridge import Dispatcher
from ert.ui.main_window import MainWindow
from tests.ui import real_site

LONG_MS = 240_000


@pytest.fixture
def window(qtbot, tmp_path):
    """Signed in to a site with the demo patient and a plan without beams; the list of patients is shown."""
    collector = GarbageCollector()  # as the program has one
    dispatcher = Dispatcher()
    jobs = Jobs(dispatcher)
    path = real_site.filled_site(tmp_path / "site")
    made = MainWindow(real_site.gateway(), jobs, with_3d=False)
    session = SiteSession.open(real_site.gateway(), jobs, path, user_name=real_site.USER, password=real_site.PASSWORD)
    made.resize(1280, 800)
    made.show()
    made.show_site(session)
    yield made
    if made.plan_page is not None:
        made._close_plan_page(made.plan_page)
    real_site.settle(jobs, qtbot)
    session.close()
    made.close()
    made.deleteLater()
    qtbot.wait(1)  # deleted now: its timers must not ring in another test
    jobs.shutdown()
    dispatcher.close()
    collector.stop()


@pytest.fixture
def page(window, qtbot):
    """The demo plan with one proposed beam whose dose is current."""
    qtbot.waitUntil(lambda: bool(window.patient_page._rows), timeout=LONG_MS)
    qtbot.waitUntil(lambda: bool(window.patient_page._rows[0].courses), timeout=LONG_MS)
    rows = window.patient_page._rows
    window.open_plan(rows[0].courses[0].plans[0].plan_id)
    qtbot.waitUntil(lambda: window.plan_page is not None, timeout=LONG_MS)
    page = window.plan_page
    page.beams.add_button.click()
    qtbot.waitUntil(lambda: page.workspace.dose.is_current, timeout=LONG_MS)
    return page
