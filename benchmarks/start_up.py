# ruff: noqa: PLC0415 - the environment is prepared before anything heavy is imported
"""Seconds from starting the program to a usable window, to a plan on screen, and from the wheel to a new slice.

Usage::

    python benchmarks/start_up.py [--runs 5] [--demo FOLDER]

Each run is a new process that does what ``ert gui`` does. "Usable" is the first painted window whose event loop answers
a posted event. The longest gap between the ticks of a 10 ms timer tells how long the window was deaf in between.
``FOLDER`` is the output of ``ert demo``; it is made in a temporary folder if none is given.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_TICK_MS = 10


def main() -> None:
    """Run the benchmark, or one process of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--demo", type=Path)
    parser.add_argument("--child", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        _child(options.child, options.demo)
        return
    with tempfile.TemporaryDirectory(prefix="ert-start-up-") as scratch:
        demo = options.demo or _make_demo(Path(scratch) / "demo")
        _report([_run(demo) for _ in range(options.runs + 1)][1:])  # the first run warms the caches


def _make_demo(folder: Path) -> Path:
    command = [sys.executable, "-m", "ert", "demo", "--no-window", "--out", str(folder)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return folder


def _run(demo: Path) -> dict[str, float]:
    environment = {"QT_QPA_PLATFORM": "offscreen", **os.environ, "PYTHONPATH": str(ROOT)}
    began_s = time.clock_gettime(time.CLOCK_MONOTONIC)
    command = [sys.executable, str(Path(__file__).resolve()), "--child", repr(began_s), "--demo", str(demo)]
    done = subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _report(runs: list[dict[str, float]]) -> None:
    sys.stdout.write(f"{'':<42}{'median':>9}{'best':>9}{'worst':>9}   ({len(runs)} runs)\n")
    for key in runs[0]:
        values = [run[key] for run in runs]
        line = f"{statistics.median(values):>9.2f}{min(values):>9.2f}{max(values):>9.2f}"
        sys.stdout.write(f"{key:<42}{line}\n")


# ---- one process -----------------------------------------------------------------------------------------------------


def _child(began_s: float, demo: Path) -> None:
    from ert.main import Program, prepare_environment

    prepare_environment()
    figures: dict[str, float] = {}

    class Measured(Program):
        def run_gui(self, *, site: Path | None) -> int:
            from ert.app.demo import PASSWORD, USER
            from ert.ui.application import start

            plan_id = _plan_id(demo)
            return start(
                self.gateway(),
                site=site,
                credentials=(USER, PASSWORD),
                plan_id=plan_id,
                on_ready=lambda window: _follow(window, began_s, figures),
            )

    from ert.cli.main import call

    call(["gui", "--site", str(demo / "site")], Measured())
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()
    os._exit(0)  # threads of native libraries are not what is measured here


def _plan_id(demo: Path) -> str:
    marker = demo / "plan_id.txt"
    if not marker.is_file():
        marker.write_text(_read_plan_id(demo), encoding="utf-8")
    return marker.read_text(encoding="utf-8").strip()


def _read_plan_id(demo: Path) -> str:
    from ert.app.demo import PASSWORD, USER
    from ert.app.jobs import Jobs
    from ert.app.session import SiteSession
    from ert.main import Program

    jobs = Jobs(lambda call: call())
    session = SiteSession.open(Program().gateway(), jobs, demo / "site", user_name=USER, password=PASSWORD)
    plan_id = session.patients()[0].courses[0].plans[0].plan_id
    session.close()
    jobs.shutdown()
    return plan_id


def _follow(window: Any, began_s: float, figures: dict[str, float]) -> None:  # noqa: ANN401
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    application = QApplication.instance()

    def now_s() -> float:
        return time.clock_gettime(time.CLOCK_MONOTONIC) - began_s

    window.repaint()
    figures["window usable, s"] = now_s()
    steps = _steps(window, figures, now_s)
    wait: list[Callable[[], bool]] = [next(steps)]
    last_s, longest_ms = [now_s()], [0.0]

    def tick() -> None:
        longest_ms[0] = max(longest_ms[0], (now_s() - last_s[0]) * 1000 - _TICK_MS)
        last_s[0] = now_s()
        if not wait[0]():
            return
        figures[f"longest deaf moment up to there, ms ({len(figures) // 2})"] = longest_ms[0]
        longest_ms[0] = 0.0
        try:
            wait[0] = next(steps)
        except StopIteration:
            application.exit(0)

    ticks = QTimer(application)
    ticks.timeout.connect(tick)
    ticks.start(_TICK_MS)


def _steps(window: Any, figures: dict[str, float], now_s: Callable[[], float]) -> Iterator[Callable[[], bool]]:  # noqa: ANN401
    yield lambda: window.patient_page is not None and window.patient_page.tree.model().rowCount() > 0
    figures["signed in, patients listed, s"] = now_s()
    yield lambda: window.plan_page is not None
    figures["plan page made, s"] = now_s()
    yield lambda: window.plan_page.workspace.dose.is_current and bool(window.plan_page.workspace.dvhs)
    figures["plan with dose and histograms, s"] = now_s()
    for axis, view in window.plan_page.views.slices.items():
        times_ms = _scroll_ms(view)
        figures[f"wheel to new slice, {view.geometry_.name}, median ms"] = statistics.median(times_ms)
        figures[f"wheel to new slice, axis {axis}, worst of {len(times_ms)}, ms"] = max(times_ms)


def _scroll_ms(view: Any, count: int = 30) -> list[float]:  # noqa: ANN401
    """Milliseconds from each turn of the wheel until all views have been painted, wash, lines and contours included."""
    from PySide6.QtCore import QPoint, QPointF, Qt
    from PySide6.QtGui import QWheelEvent
    from PySide6.QtWidgets import QApplication

    middle = QPointF(view.width() / 2, view.height() / 2)
    times_ms = []
    for turn in range(count):
        event = QWheelEvent(
            middle, view.mapToGlobal(middle), QPoint(), QPoint(0, 120 if turn < count // 2 else -120),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        began_s = time.perf_counter()
        QApplication.sendEvent(view, event)
        QApplication.processEvents()
        times_ms.append((time.perf_counter() - began_s) * 1000)
    return times_ms


if __name__ == "__main__":
    main()
