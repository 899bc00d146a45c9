"""Doses kept on a share for other workstations (port ``DoseCache``): silent when absent, never waited for long."""

from __future__ import annotations

import logging
import queue
import threading
import time
from typing import Final

from ert.domain.cache_report import CacheReport
from ert.domain.dose import DoseResult
from ert.storage.cache_folder import CacheFolder
from ert.storage.cache_shelf import Shelf
from ert.storage.share_gate import ShareGate

NAME = "network"
CLEAR_BUDGET_S = 10.0
CLOSE_BUDGET_S = 1.0
_WAITING: Final = 8
_LOG = logging.getLogger(__name__)


class NetworkDoseCache:
    """A shelf on a share.

    Reading waits for `share_gate.BUDGET_S` at most. Doses are written by a daemon thread, which while the share is
    away waits with a few of them and drops what comes on top; nothing that happens there can hold the program up.
    """

    def __init__(self, shelf: Shelf, gate: ShareGate | None = None) -> None:
        self._shelf = shelf
        self._gate = gate if gate is not None else ShareGate()
        self._waiting: queue.Queue[DoseResult] = queue.Queue(_WAITING)
        self._closed = threading.Event()
        self._writer: threading.Thread | None = None
        self._lock = threading.Lock()

    def get(self, request_digest: str) -> DoseResult | None:
        """The dose of a request, verified; None if there is none that can be had in time."""
        return self._gate.run(lambda: self._shelf.get(request_digest))

    def put(self, result: DoseResult) -> None:
        """Have a dose written some time later; returns at once."""
        with self._lock:
            if self._closed.is_set():
                return
            try:
                self._waiting.put_nowait(result)
            except queue.Full:
                _LOG.debug("a dose was not written to the network cache: too many are waiting")
                return
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, daemon=True, name="net-dose-cache-writer")
                self._writer.start()

    def clear(self) -> None:
        """Remove all doses of this site, as far as the share does that in time."""
        self._gate.run(self._shelf.folder.clear, budget_s=CLEAR_BUDGET_S)

    def size_bytes(self) -> int:
        """What lies there; 0 if that cannot be told."""
        return self.report().size_bytes or 0

    def report(self) -> CacheReport:
        """How it stands."""
        return network_report(self._shelf.folder, self._gate, limit_bytes=self._shelf.limit_bytes)

    def wait_written(self, budget_s: float) -> bool:
        """Wait until nothing waits to be written; False if that took longer."""
        end_s = time.monotonic() + budget_s
        while self._waiting.unfinished_tasks and time.monotonic() < end_s:
            time.sleep(0.01)
        return not self._waiting.unfinished_tasks

    def close(self) -> None:
        """Give what is being written a moment, then take nothing more."""
        if not self._gate.is_open:
            self.wait_written(CLOSE_BUDGET_S)
        with self._lock:
            self._closed.set()

    def _write(self) -> None:
        while not self._closed.is_set():
            try:
                result = self._waiting.get(timeout=0.2)
            except queue.Empty:
                continue
            is_done = False
            while not is_done and not self._closed.is_set():
                is_done = self._gate.attempt(lambda result=result: self._shelf.put(result))  # type: ignore[misc]
                if not is_done:
                    self._closed.wait(max(self._gate.remaining_s, 0.5))
            self._waiting.task_done()


def network_report(folder: CacheFolder, gate: ShareGate, *, limit_bytes: int) -> CacheReport:
    """How the folder on a share stands."""

    def look() -> tuple[int, int]:
        if not folder.path.parent.is_dir():
            raise FileNotFoundError
        files = folder.files()
        return sum(f.size_bytes for f in files), sum(f.is_entry for f in files)

    found = gate.run(look)
    size, entries = found if found is not None else (None, None)
    away = "Not reachable now; it is tried again by itself. Doses are computed as without it."
    return CacheReport(
        name=NAME,
        folder=str(folder.path),
        size_bytes=size,
        entries=entries,
        limit_bytes=limit_bytes,
        is_working=found is not None,
        state="Working." if found is not None else away,
    )
