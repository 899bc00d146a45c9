"""A plan's page is made part by part while the window answers; nothing gets lost in between, nothing jumps later."""

import sys

import attrs
import pytest

from ert.ui.jobs_bridge import JobStrip
from ert.ui.plan_opening import load_screens
from ert.ui.plan_page import PlanPage


def plan_id_of(window):
    return window.session.patients()[0].courses[0].plans[0].plan_id


def begin(window, qtbot):
    """Open the plan until its page is being made, and stop there."""
    window.open_plan(plan_id_of(window))
    qtbot.waitUntil(lambda: window._making is not None, timeout=60_000)
    return window._making.page


def test_the_window_answers_between_the_parts_of_a_page(window, qtbot):
    page = begin(window, qtbot)
    parts_left = []
    while window.plan_page is None:
        parts_left.append(len(page._to_make))
        qtbot.wait(1)
        assert len(parts_left) < 1000
    assert len(set(parts_left)) > 5
    assert window.plan_page is page
    assert window._making is None


def test_what_changes_while_a_page_is_made_is_shown_when_it_is_there(window, qtbot):
    page = begin(window, qtbot)
    page.workspace.apply("Rename", lambda plan: attrs.evolve(plan, name="Renamed meanwhile"))
    qtbot.waitUntil(lambda: window.plan_page is page, timeout=60_000)
    qtbot.waitUntil(lambda: "Renamed meanwhile" in window.windowTitle(), timeout=10_000)
    window.plan_page.workspace.undo()


@pytest.mark.parametrize("parts", [0, 3, 11])
def test_leaving_the_site_drops_a_page_that_is_being_made(window, qtbot, monkeypatch, parts):
    page = begin(window, qtbot)
    for _ in range(parts):
        page.make_next()
    shown = []
    monkeypatch.setattr(type(window), "_show_page", lambda _window, made: shown.append(made))
    session = window.session
    window._making.drop()
    window._making, window._is_opening = None, False
    qtbot.wait(100)
    assert shown == []
    assert window.plan_page is None
    assert window.session is session
    monkeypatch.undo()
    window.open_plan(plan_id_of(window))  # and another can be opened
    qtbot.waitUntil(lambda: window.plan_page is not None, timeout=60_000)


def test_no_view_changes_its_size_with_the_state_of_the_dose(window, qtbot):
    """The bar above the views keeps its height, whichever of its buttons it shows."""
    window.open_plan(plan_id_of(window))
    qtbot.waitUntil(lambda: window.plan_page is not None, timeout=60_000)
    page = window.plan_page
    assert isinstance(page, PlanPage)
    bar = page.dose_bar
    heights = set()
    for parts in ((), (bar.progress, bar.cancel), (bar.final,), (bar.compute, bar.algorithm)):
        for part in (bar.progress, bar.cancel, bar.final, bar.compute, bar.algorithm):
            part.setVisible(part in parts)
        qtbot.wait(20)
        heights.add((bar.height(), page.views.slices[2].height()))
    assert len(heights) == 1


def test_no_view_changes_its_size_when_a_job_is_told_below(window, qtbot):
    window.open_plan(plan_id_of(window))
    qtbot.waitUntil(lambda: window.plan_page is not None, timeout=60_000)
    (strip,) = window.findChildren(JobStrip)
    heights = set()
    for is_told, can_stop in ((False, False), (True, False), (True, True)):
        strip._cancel.setVisible(can_stop)
        strip.setVisible(is_told)
        qtbot.wait(20)
        heights.add((window.statusBar().height(), window.plan_page.height()))
    assert len(heights) == 1


def test_the_modules_of_the_page_are_loaded_in_turns_before_anybody_asks(qtbot, window):
    loaded = []
    load_screens(window, lambda: loaded.append(set(sys.modules)))
    assert loaded == []  # nothing in this turn of the event loop
    qtbot.waitUntil(lambda: bool(loaded), timeout=30_000)
    assert {"ert.ui.plan_page", "ert.ui.plots"} <= loaded[0]
