"""Recovery code and keys from the window: a code counts once it was typed back, what is renewed opens the site."""

from __future__ import annotations

import pytest

from ert.app.jobs import Jobs
from ert.app.session import SiteSession
from ert.errors import WrongKey
from ert.storage.unlock import unlock_with_recovery_code
from ert.ui.jobs_bridge import Dispatcher
from ert.ui.keys_dialog import KeysDialog
from ert.ui.main_window import MainWindow
from tests.ui import real_site


@pytest.fixture
def window(qtbot, tmp_path):
    dispatcher = Dispatcher()
    jobs = Jobs(dispatcher)
    real_site.filled_site(tmp_path / "site")
    made = MainWindow(real_site.gateway(), jobs, with_3d=False)
    session = SiteSession.open(
        real_site.gateway(), jobs, tmp_path / "site", user_name=real_site.USER, password=real_site.PASSWORD
    )
    made.show()
    made.show_site(session)
    real_site.settle(jobs, qtbot)
    yield made
    if made.session is not None:
        made.sign_out()
    real_site.settle(jobs, qtbot)
    made.close()
    made.deleteLater()
    jobs.shutdown()
    dispatcher.close()


def opened(window, qtbot):
    window.keys_action.trigger()
    dialog = window.findChild(KeysDialog)
    settle(window, qtbot)
    return dialog


def settle(window, qtbot):
    for _ in range(4):
        real_site.settle(window._jobs, qtbot)


def test_a_shown_code_does_not_count_before_it_was_typed_back(window, qtbot, tmp_path):
    dialog = opened(window, qtbot)
    dialog.make_code.click()
    code = dialog.code.text()
    dialog.typed.setText(code[:-1] + ("A" if code[-1] != "A" else "B"))
    dialog.use_code.click()
    settle(window, qtbot)
    assert "checksum" in dialog.message.text
    with pytest.raises(WrongKey):
        unlock_with_recovery_code(tmp_path / "site", typed_code=code)
    dialog.typed.setText(code)
    dialog.use_code.click()
    settle(window, qtbot)
    assert "counts" in dialog.message.text
    assert dialog.code.text() == ""
    unlock_with_recovery_code(tmp_path / "site", typed_code=code).vault.close()


def test_new_data_keys_sign_out_and_their_files_follow_while_people_work(window, qtbot, tmp_path):
    dialog = opened(window, qtbot)
    assert not dialog.files.isEnabled()
    dialog.master.click()
    settle(window, qtbot)
    assert "Master key renewed once" in dialog.keys_state.text()
    dialog.data_password.setText(real_site.PASSWORD)
    dialog.data.click()
    settle(window, qtbot)
    assert window.session is None
    assert "were renewed" in window.message.text
    window.sign_in._open(tmp_path / "site", real_site.USER, real_site.PASSWORD)
    settle(window, qtbot)
    dialog = opened(window, qtbot)
    assert "data keys once" in dialog.keys_state.text()
    assert "under earlier data keys" in dialog.files_state.text()
    dialog.files.click()
    settle(window, qtbot)
    assert dialog.files_state.text() == "Every file is under the keys in use."
