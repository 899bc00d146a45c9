"""Background work: lanes of threads, jobs with progress and cancel, results handed back on the owner's thread."""

from __future__ import annotations

import enum
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import attrs

from ert.app.courtesy import Courtesy
from ert.errors import Cancelled, Refused

T = TypeVar("T")
Dispatch = Callable[[Callable[[], None]], None]
_LOG = logging.getLogger(__name__)
_PROGRESS_INTERVAL_S = 0.05  # screens need no more than 20 updates a second


class Lane(enum.Enum):
    """Where a job runs, and how many run there at once."""

    DB = 1  # owns the database connection, which belongs to one thread
    DOSE = 2  # numba's thread pool aborts the process if two threads enter it
    IO = 3
    NET = 4
    JOURNAL = 5  # keeps edits against a crash: must never wait behind anything long
    PICTURE = 6  # draws in 3D: a graphics context belongs to one thread; prepares what slices paint


_WORKERS = {Lane.DB: 1, Lane.DOSE: 1, Lane.IO: 2, Lane.NET: 4, Lane.JOURNAL: 1, Lane.PICTURE: 1}


_NICER = 5


def _step_back() -> None:
    """Let this thread, and those it will start, wait for a processor longer than the window's thread does.

    Two threads of a dose on two processors made the window wait for its turn. On Linux alone a thread has a priority of
    its own that those it starts inherit.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICER)


class JobState(enum.Enum):
    """Life of a job."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """True once nothing more will happen."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class JobContext:
    """What a job's function is given: ways to say how far it is and to notice that it should stop."""

    def __init__(
        self, on_progress: Callable[[float, str], None] | None = None, courtesy: Courtesy | None = None
    ) -> None:
        self._on_progress = on_progress
        self._courtesy = courtesy
        self._cancelled = threading.Event()
        self._is_sealed = False
        self._last_s = 0.0

    def progress(self, fraction: float, text: str = "") -> None:
        """Report progress, 0 to 1, at most 20 times a second; the last report (1) is always passed on."""
        now_s = time.monotonic()
        if self._on_progress is not None and (fraction >= 1 or now_s - self._last_s >= _PROGRESS_INTERVAL_S):
            self._last_s = now_s
            self._on_progress(fraction, text)

    def check(self) -> None:
        """Raise `Cancelled` if somebody asked the job to stop before it was sealed."""
        if self._cancelled.is_set() and not self._is_sealed:
            raise Cancelled("Stopped on request.")

    def give_way(self) -> None:
        """Let who works at the window go first, then `check`; for readings nobody waits for, between small steps."""
        if self._courtesy is not None:
            self._courtesy.give_way()
        self.check()

    def seal(self) -> None:
        """From here on a cancel comes too late: what is written must not be reported as stopped."""
        self._is_sealed = True

    @property
    def is_sealed(self) -> bool:
        """True once a cancel comes too late."""
        return self._is_sealed

    def cancel(self) -> None:
        """Ask the job to stop at its next check."""
        self._cancelled.set()


@attrs.define(eq=False, kw_only=True)
class Job(Generic[T]):
    """Handle of a submitted job. State, fraction and text are only changed on the owner's thread."""

    title: str
    lane: Lane
    context: JobContext
    supersedes: str | None = None
    can_stop: bool = True
    state: JobState = JobState.PENDING
    fraction: float = 0.0
    text: str = ""
    error: BaseException | None = None
    on_done: Callable[[T], None] | None = None
    on_failed: Callable[[BaseException], None] | None = None
    on_cancelled: Callable[[], None] | None = None
    on_progress: Callable[[float, str], None] | None = None

    @property
    def is_stoppable(self) -> bool:
        """True while the user may be offered to stop it."""
        return self.can_stop and not self.context.is_sealed

    def cancel(self) -> None:
        """Ask the job to stop; its state changes when it has."""
        self.context.cancel()


class Jobs:
    """Runs functions on lanes.

    Parameters
    ----------
    dispatch : callable
        Runs a callback on the owner's thread (the GUI thread; a queue in tests and on the command line).

    Attributes
    ----------
    courtesy : told when somebody works at the window, asked by jobs that give way.
    """

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._pools = {
            lane: ThreadPoolExecutor(
                count,
                thread_name_prefix=f"ert-{lane.name.lower()}",
                initializer=_step_back if lane is Lane.DOSE else None,
            )
            for lane, count in _WORKERS.items()
        }
        self._active: list[Job[Any]] = []
        self._listeners: list[Callable[[Job[Any]], None]] = []
        self._is_closed = False
        self._lock = threading.Lock()
        self.courtesy = Courtesy()

    def submit(
        self,
        lane: Lane,
        fn: Callable[[JobContext], T],
        *,
        title: str,
        supersedes: str | None = None,
        can_stop: bool = True,
        on_done: Callable[[T], None] | None = None,
        on_failed: Callable[[BaseException], None] | None = None,
        on_cancelled: Callable[[], None] | None = None,
        on_progress: Callable[[float, str], None] | None = None,
    ) -> Job[T]:
        """Queue a function. A still active job with the same ``supersedes`` key is cancelled first.

        ``can_stop`` is False for what the user must not be offered to stop: a write that is all or nothing.

        Raises
        ------
        Refused
            If the program is closing.
        """
        if self._is_closed:
            raise Refused("The program is closing; no new work is taken.")
        job: Job[T] = Job(
            title=title,
            lane=lane,
            context=JobContext(),
            supersedes=supersedes,
            can_stop=can_stop,
            on_done=on_done,
            on_failed=on_failed,
            on_cancelled=on_cancelled,
            on_progress=on_progress,
        )
        job.context = JobContext(lambda f, t: self._dispatch(lambda: self._report(job, f, t)), self.courtesy)
        with self._lock:
            if supersedes is not None:
                for other in self._active:
                    if other.supersedes == supersedes:
                        other.cancel()
            self._active.append(job)
        self._pools[lane].submit(self._run, job, fn)
        return job

    def call(self, lane: Lane, fn: Callable[[], T]) -> T:
        """Run a short function on a lane and wait; directly if already on that lane's thread."""
        if threading.current_thread().name.startswith(f"ert-{lane.name.lower()}"):
            return fn()
        future: Future[T] = self._pools[lane].submit(fn)
        return future.result()

    def active(self) -> list[Job[Any]]:
        """Jobs that are not finished, oldest first."""
        with self._lock:
            return list(self._active)

    def subscribe(self, listener: Callable[[Job[Any]], None]) -> None:
        """Be told, on the owner's thread, of every change of any job."""
        self._listeners.append(listener)

    def shutdown(self, timeout_s: float = 5.0) -> None:
        """Refuse new jobs, cancel the active ones, wait a while for them, stop the threads."""
        self._is_closed = True
        for job in self.active():
            job.cancel()
        end_s = time.monotonic() + timeout_s
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        while any(t.name.startswith("ert-") for t in threading.enumerate()) and time.monotonic() < end_s:
            time.sleep(0.01)

    def _run(self, job: Job[T], fn: Callable[[JobContext], T]) -> None:
        self._dispatch(lambda: self._change(job, JobState.RUNNING))
        try:
            job.context.check()
            result = fn(job.context)
            job.context.check()
        except Cancelled:
            self._finish(job, JobState.CANCELLED, job.on_cancelled)
        except BaseException as error:  # noqa: BLE001 - a job must end in a state; the error goes to its owner
            _LOG.exception("job failed: %s", job.title)
            failed, on_failed = error, job.on_failed
            job.error = failed
            self._finish(job, JobState.FAILED, None if on_failed is None else lambda: on_failed(failed))
        else:
            on_done = job.on_done
            self._finish(job, JobState.DONE, None if on_done is None else lambda: on_done(result))

    def _finish(self, job: Job[Any], state: JobState, callback: Callable[[], None] | None) -> None:
        with self._lock:
            self._active.remove(job)

        def tell() -> None:
            self._change(job, state)
            if callback is not None:
                callback()

        self._dispatch(tell)

    def _change(self, job: Job[Any], state: JobState) -> None:
        job.state = state
        if state is JobState.DONE:
            job.fraction = 1.0
        self._tell(job)

    def _report(self, job: Job[Any], fraction: float, text: str) -> None:
        if job.state.is_final:
            return
        job.fraction, job.text = fraction, text
        if job.on_progress is not None:
            job.on_progress(fraction, text)
        self._tell(job)

    def _tell(self, job: Job[Any]) -> None:
        for listener in list(self._listeners):
            listener(job)
