"""Lanes and jobs: order, progress, cancel, supersede, failure, closing. Real threads."""

import os
import queue
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ert.app.jobs import Jobs, JobState, Lane
from ert.errors import Refused


class Owner:
    """The owner's thread: runs what jobs hand back."""

    def __init__(self):
        self.calls = queue.Queue()
        self.jobs = Jobs(self.calls.put)

    def run_until(self, condition, timeout_s=20):
        while not condition():
            self.calls.get(timeout=timeout_s)()


@pytest.fixture
def owner():
    it = Owner()
    yield it
    it.jobs.shutdown()


def test_result_arrives_on_the_owners_thread(owner):
    seen = []
    job = owner.jobs.submit(
        Lane.IO,
        lambda ctx: threading.current_thread().name,
        title="t",
        on_done=lambda value: seen.append((value, threading.current_thread())),
    )
    owner.run_until(lambda: job.state.is_final)
    owner.run_until(lambda: seen)
    assert seen[0][0].startswith("ert-io")
    assert seen[0][1] is threading.current_thread()
    assert owner.jobs.active() == []


def test_failure_keeps_the_error_for_its_owner(owner):
    seen = []

    def bad(_ctx):
        raise Refused("because")

    job = owner.jobs.submit(Lane.DOSE, bad, title="t", on_failed=seen.append)
    owner.run_until(lambda: seen)
    assert job.state is JobState.FAILED
    assert str(seen[0]) == "because"


def test_a_running_job_stops_at_its_next_check(owner):
    started = threading.Event()

    def work(ctx):
        started.set()
        while True:
            ctx.check()

    job = owner.jobs.submit(Lane.DOSE, work, title="t")
    started.wait(20)
    job.cancel()
    owner.run_until(lambda: job.state.is_final)
    assert job.state is JobState.CANCELLED


def test_a_newer_job_supersedes_the_older_one(owner):
    done = []

    def work(ctx):
        while not done:
            ctx.check()
        return "late"

    old = owner.jobs.submit(Lane.DOSE, work, title="old", supersedes="dose", on_done=done.append)
    new = owner.jobs.submit(Lane.DOSE, lambda ctx: "new", title="new", supersedes="dose", on_done=done.append)
    owner.run_until(lambda: new.state.is_final and done)
    assert old.state is JobState.CANCELLED
    assert done == ["new"]


def test_one_thread_on_the_dose_lane(owner):
    running, most = [], []
    gate = threading.Lock()

    def work(_ctx):
        with gate:
            running.append(1)
            most.append(len(running))
        threading.Event().wait(0.01)
        with gate:
            running.pop()

    jobs = [owner.jobs.submit(Lane.DOSE, work, title=str(n)) for n in range(8)]
    owner.run_until(lambda: all(j.state.is_final for j in jobs))
    assert max(most) == 1


def test_call_waits_and_may_nest(owner):
    jobs = owner.jobs
    assert jobs.call(Lane.DB, lambda: jobs.call(Lane.DB, lambda: 42)) == 42
    with pytest.raises(Refused):
        jobs.call(Lane.DB, lambda: (_ for _ in ()).throw(Refused("x")))


def test_progress_ends_at_one(owner):
    seen = []

    def work(ctx):
        for n in range(1000):
            ctx.progress(n / 1000)
        ctx.progress(1.0, "end")

    job = owner.jobs.submit(Lane.IO, work, title="t", on_progress=lambda f, t: seen.append((f, t)))
    owner.run_until(lambda: job.state.is_final)
    assert seen[-1] == (1.0, "end")
    assert len(seen) < 100


def test_closing_refuses_and_cancels(owner):
    started = threading.Event()

    def work(ctx):
        started.set()
        while True:
            ctx.check()

    owner.jobs.submit(Lane.NET, work, title="t")
    started.wait(20)
    owner.jobs.shutdown()
    assert not [t for t in threading.enumerate() if t.name.startswith("ert-net")]
    with pytest.raises(Refused, match="closing"):
        owner.jobs.submit(Lane.IO, lambda ctx: None, title="late")


def test_a_job_that_has_written_is_not_reported_as_stopped(owner):
    may_write, written, asked, done = threading.Event(), threading.Event(), threading.Event(), []

    def work(ctx):
        may_write.wait(20)
        ctx.check()
        ctx.seal()
        written.set()
        asked.wait(20)
        ctx.check()
        return "stored"

    job = owner.jobs.submit(Lane.IO, work, title="t", on_done=done.append)
    assert job.is_stoppable
    may_write.set()
    written.wait(20)
    assert not job.is_stoppable
    job.cancel()
    asked.set()
    owner.run_until(lambda: done)
    assert job.state is JobState.DONE
    assert done == ["stored"]


def test_what_must_not_be_stopped_is_not_offered_to_be(owner):
    job = owner.jobs.submit(Lane.IO, lambda ctx: None, title="t", can_stop=False)
    assert not job.is_stoppable
    owner.run_until(lambda: job.state.is_final)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority for each thread")
def test_threads_of_a_dose_wait_for_a_processor_longer_than_the_window_does(owner):
    def nice():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def started_by_a_dose():
        with ThreadPoolExecutor(1) as pool:
            return nice(), pool.submit(nice).result()

    before = nice()
    assert all(found > before for found in owner.jobs.call(Lane.DOSE, started_by_a_dose))
    assert owner.jobs.call(Lane.IO, nice) == nice() == before
