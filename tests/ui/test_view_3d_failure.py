"""A 3D picture that cannot be made leaves none of before on the screen."""

import pytest

from ert.ui.patient_3d_view import View3D
from ert.ui.patient_scene import PatientScene


@pytest.fixture
def view(window, qtbot):
    window.open_plan(window.session.patients()[0].courses[0].plans[0].plan_id)
    qtbot.waitUntil(lambda: window.plan_page is not None, timeout=60_000)
    page = window.plan_page
    made = View3D(page.workspace, page.state, window.session.jobs)
    qtbot.addWidget(made)
    made.resize(300, 240)
    made.show()
    qtbot.waitUntil(lambda: made._image is not None or made._failure != "", timeout=60_000)
    yield made
    made.close_scene()


@pytest.mark.parametrize("error", [ImportError("no VTK"), RuntimeError("no memory")])
def test_no_old_picture_stays(view, qtbot, monkeypatch, error):
    assert view._image is not None

    def fails(*_):
        raise error

    monkeypatch.setattr(PatientScene, "picture", fails)
    with qtbot.captureExceptions() as told:
        view.refresh()
        qtbot.waitUntil(lambda: view._failure != "", timeout=30_000)
    assert view._image is None
    assert not view._is_drawing
    assert str(error) in view._failure
    assert bool(told) is not isinstance(error, ImportError)
