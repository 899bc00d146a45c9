"""A save that fails is told in the window and loses nothing, also where the user was about to leave."""

from __future__ import annotations

import attrs
import pytest

from ert.errors import StaleRevision
from ert.ui import main_window
from ert.ui.dialogs import UnsavedAnswer
from tests.ui import real_site


def describe(text):
    return lambda plan: attrs.evolve(plan, description=text)


@pytest.fixture
def page(window, qtbot):
    """The plan, edited here and saved by a colleague in a session of their own in the meantime."""
    (row,) = window.session.patients()
    plan_id = row.courses[0].plans[0].plan_id
    window.open_plan(plan_id)
    qtbot.waitUntil(lambda: window.plan_page is not None, timeout=20_000)

    theirs = real_site.gateway().open(window.session.site_path, user_name=real_site.USER, password=real_site.PASSWORD)
    stored = theirs.plans.load(plan_id)
    theirs.plans.save(describe("theirs")(stored.plan), base_revision=stored.revision)
    theirs.close()
    window.plan_page.workspace.apply("Describe", describe("mine"))
    return window.plan_page


def told(page) -> bool:
    return page.not_saved.isVisible() and isinstance(page.workspace.save_error, StaleRevision)


def test_the_reason_stays_until_it_is_dealt_with(page, qtbot):
    page.actions_.save.trigger()
    qtbot.waitUntil(lambda: told(page), timeout=20_000)
    assert "NOT SAVED" in page.not_saved.text
    assert str(page.workspace.save_error) in page.not_saved.text
    page.message.show_note("Something else.")
    page.workspace.apply("Describe", describe("mine, too"))
    qtbot.wait(50)
    assert page.not_saved.isVisible()
    assert page.workspace.is_dirty


@pytest.mark.parametrize("leave", ["back_to_patients", "sign_out", "close"])
def test_leaving_with_save_stays_if_the_save_fails(window, page, qtbot, monkeypatch, leave):
    monkeypatch.setattr(main_window, "ask_unsaved", lambda *_: UnsavedAnswer.SAVE)
    getattr(window, leave)()
    qtbot.waitUntil(lambda: told(page), timeout=20_000)
    assert window.isVisible()
    assert window.session is not None
    assert window.plan_page is page
    assert page.isVisible()
    assert page.workspace.plan.description == "mine"
    monkeypatch.setattr(main_window, "ask_unsaved", lambda *_: UnsavedAnswer.DISCARD)


def test_the_edits_can_be_saved_as_a_new_plan_and_go_on_there(window, page, qtbot):
    page.actions_.save.trigger()
    qtbot.waitUntil(lambda: told(page), timeout=20_000)
    page.actions_.save_as_named("Mine")
    qtbot.waitUntil(lambda: window.plan_page not in (None, page), timeout=20_000)
    workspace = window.plan_page.workspace
    assert (workspace.plan.name, workspace.plan.description, workspace.is_dirty) == ("Mine", "mine", False)
    assert not window.plan_page.not_saved.isVisible()


def test_a_name_that_is_taken_is_refused_and_the_plan_stays(window, page, qtbot):
    page.actions_.save_as_named(real_site.PLAN_NAME)
    qtbot.waitUntil(page.message.isVisible, timeout=20_000)
    assert "already" in page.message.text
    assert window.plan_page is page
