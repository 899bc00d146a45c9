"""Callbacks of jobs arrive on the GUI thread, in order; what runs is shown and can be cancelled."""

from __future__ import annotations

import threading

import pytest
from PySide6.QtWidgets import QLabel, QProgressBar, QToolButton

from ert.app.jobs import Jobs, JobState, Lane
from ert.ui.jobs_bridge import Dispatcher, JobStrip


@pytest.fixture
def dispatcher(qapp):
    made = Dispatcher()
    yield made
    made.close()


@pytest.fixture
def jobs(dispatcher):
    made = Jobs(dispatcher)
    yield made
    made.shutdown()


def test_callbacks_run_on_the_gui_thread_in_the_order_they_were_sent(dispatcher, qtbot):
    seen = []

    def send():
        for number in range(200):
            dispatcher(lambda n=number: seen.append((n, threading.current_thread())))

    sender = threading.Thread(target=send)
    sender.start()
    sender.join()
    assert seen == []  # nothing ran on the sender's thread
    qtbot.waitUntil(lambda: len(seen) == 200)
    assert [n for n, _ in seen] == list(range(200))
    assert {t for _, t in seen} == {threading.main_thread()}


def test_a_job_reports_progress_and_result_on_the_gui_thread(jobs, qtbot):
    threads, fractions, results = [], [], []

    def work(ctx):
        threads.append(threading.current_thread())
        ctx.progress(1.0, "read")
        return 42

    jobs.submit(
        Lane.DB,
        work,
        title="Reading",
        on_done=lambda value: results.append((value, threading.current_thread())),
        on_progress=lambda fraction, text: fractions.append((fraction, text, threading.current_thread())),
    )
    qtbot.waitUntil(lambda: bool(results))
    assert threads[0] is not threading.main_thread()
    assert fractions == [(1.0, "read", threading.main_thread())]
    assert results == [(42, threading.main_thread())]


def test_nothing_is_shown_after_closing(dispatcher, qtbot):
    seen = []
    dispatcher(lambda: seen.append(1))
    dispatcher.close()
    qtbot.wait(20)
    assert seen == []


def test_a_fault_in_one_callback_does_not_swallow_the_next(dispatcher, qtbot):
    seen = []
    with qtbot.captureExceptions() as faults:
        dispatcher(lambda: 1 / 0)
        dispatcher(lambda: seen.append("next"))
        qtbot.waitUntil(lambda: seen == ["next"])
    assert [f[0] for f in faults] == [ZeroDivisionError]


def _shown(strip):
    return [label.text() for label in strip.findChildren(QLabel) if label.isVisibleTo(strip)]


def test_the_strip_shows_a_long_job_with_its_progress_and_cancels_it(jobs, qtbot):
    strip = JobStrip(jobs)
    qtbot.addWidget(strip)
    began = threading.Event()

    def work(ctx):
        ctx.progress(0.4, "slice 29")
        began.set()
        while True:
            ctx.check()
            threading.Event().wait(0.005)

    job = jobs.submit(Lane.IO, work, title="Importing")
    assert strip.isHidden()
    qtbot.waitUntil(lambda: not strip.isHidden())
    assert began.is_set()
    assert "Importing" in _shown(strip)[0]
    assert "slice 29" in _shown(strip)[0]
    bar = strip.findChild(QProgressBar)
    assert bar.value() == pytest.approx(0.4 * bar.maximum())
    assert bar.accessibleName()
    cancel = strip.findChild(QToolButton)
    assert cancel.accessibleName()
    cancel.click()
    qtbot.waitUntil(lambda: job.state is JobState.CANCELLED)
    qtbot.waitUntil(strip.isHidden)


def test_the_strip_tells_how_many_more_jobs_run(jobs, qtbot):
    strip = JobStrip(jobs)
    qtbot.addWidget(strip)
    end = threading.Event()
    done = []
    for name in ("First", "Second"):
        jobs.submit(Lane.IO, lambda _ctx: end.wait(10), title=name, on_done=done.append)
    qtbot.waitUntil(lambda: not strip.isHidden())
    assert "First" in _shown(strip)[0]
    assert "+1" in _shown(strip)[0]
    end.set()
    qtbot.waitUntil(lambda: done == [True, True])
    qtbot.waitUntil(strip.isHidden)
