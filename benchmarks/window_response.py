# ruff: noqa: PLC0415 - the environment is prepared before anything heavy is imported
"""How long the window is deaf while a Monte Carlo runs in it, and how long Cancel takes.

Usage::

    xvfb-run -a -s "-screen 0 1366x768x24" python benchmarks/window_response.py [--seconds 20] [--demo DIR] [--stacks]

The plan is opened as the program starts, while the engines are tested beside it. A timer of 5 ms beats in the window's
event loop; a beat that comes late tells how long nothing else could happen. The
final dose of the demo plan runs to 0.5 % on a 2.5 mm grid; after some seconds Cancel is clicked, and the time is taken
until the window shows the plan without a run. ``DIR`` is the output of ``ert demo``. ``--stacks`` says what the
window's thread was doing in each deaf moment above 40 ms. On a computer that others use as well, look at the processor
time of the window's thread between two beats (``cpu``): it grows less with their load.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from start_up import _make_demo, _plan_id

ROOT = Path(__file__).resolve().parent.parent
_BEAT_MS = 5
_DEAF_MS, _GOAL_MS = 40.0, 50.0
_CANCELS = 3


def main() -> None:
    """Run the benchmark, or its process with the window."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--demo", type=Path)
    parser.add_argument("--stacks", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _child(options.demo, options.seconds, has_stacks=options.stacks)
        return
    with tempfile.TemporaryDirectory(prefix="ert-window-") as scratch:
        demo = Path(scratch) / "demo"
        if options.demo is None:
            _make_demo(demo)
        else:
            shutil.copytree(options.demo, demo)  # what is edited here is saved by itself after a while
        command = [sys.executable, str(Path(__file__).resolve()), "--child", "--demo", str(demo)]
        command += ["--seconds", str(options.seconds), *(["--stacks"] if options.stacks else [])]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": f"{scratch}/state"}
        subprocess.run(command, check=True, cwd=ROOT, env=environment)


class _Heart:
    """Beats in the event loop; what it says of each phase is put into `figures`."""

    def __init__(self, *, has_stacks: bool) -> None:
        from PySide6.QtCore import QTimer

        self._last_s, self._last_cpu_s = time.perf_counter(), time.thread_time()
        self.late_ms, self.busy_ms = list[float](), list[float]()
        self.stacks: Counter[str] = Counter()
        self._main = threading.get_ident()
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)
        self._timer.start(_BEAT_MS)
        if has_stacks:
            threading.Thread(target=self._look, daemon=True).start()

    def _beat(self) -> None:
        now_s = time.perf_counter()
        cpu_s = time.thread_time()
        self.late_ms.append((now_s - self._last_s) * 1000 - _BEAT_MS)
        self.busy_ms.append((cpu_s - self._last_cpu_s) * 1000)
        self._last_s, self._last_cpu_s = now_s, cpu_s

    def _look(self) -> None:
        while True:
            time.sleep(0.01)
            if (time.perf_counter() - self._last_s) * 1000 > _DEAF_MS:
                frames = traceback.extract_stack(sys._current_frames()[self._main])  # noqa: SLF001 - a benchmark
                own = [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames if "ert" in f.filename]
                self.stacks[" < ".join(reversed(own[-4:]))] += 1

    def phase(self) -> dict[str, float]:
        """Figures of the beats since the last call."""
        late, busy = sorted(self.late_ms), sorted(self.busy_ms)
        self.late_ms, self.busy_ms = [], []
        return {
            "beats": len(late),
            "longest_ms": round(late[-1], 1),
            "p99_ms": round(late[int(0.99 * len(late))], 1),
            "above_50_ms": sum(1 for ms in late if ms > _GOAL_MS),
            "longest_cpu_ms": round(busy[-1], 1),
            "above_50_cpu_ms": sum(1 for ms in busy if ms > _GOAL_MS),
        }


def _child(demo: Path, seconds: float, *, has_stacks: bool) -> None:
    from ert.main import Program, prepare_environment

    prepare_environment()
    from ert.app.demo import PASSWORD, USER
    from ert.ui.application import start

    figures: dict[str, Any] = {}
    kept: list[Any] = []

    def ready(window: Any) -> None:  # noqa: ANN401 - the main window
        heart = _Heart(has_stacks=has_stacks)
        steps = _steps(window, heart, figures, seconds)
        kept.extend([heart, steps, _Walk(steps)])

    start(Program().gateway(), site=demo / "site", credentials=(USER, PASSWORD), plan_id=_plan_id(demo), on_ready=ready)
    for stack, count in kept[0].stacks.most_common(15):
        sys.stdout.write(f"{count:5d}  {stack}\n")
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    sys.stdout.flush()
    os._exit(0)


class _Walk:
    """Asks every few milliseconds whether the next step can be made."""

    def __init__(self, steps: Iterator[Callable[[], bool]]) -> None:
        from PySide6.QtCore import QTimer

        self._steps, self._wait = steps, next(steps)
        self._timer = QTimer()
        self._timer.timeout.connect(self._step)
        self._timer.start(2)

    def _step(self) -> None:
        from PySide6.QtWidgets import QApplication

        if not self._wait():
            return
        try:
            self._wait = next(self._steps)
        except StopIteration:
            self._timer.stop()
            QApplication.exit(0)


def _steps(window: Any, heart: _Heart, figures: dict[str, Any], seconds: float) -> Iterator[Callable[[], bool]]:  # noqa: ANN401
    import attrs

    from ert.domain.algorithm import Algorithm

    yield lambda: window.plan_page is not None
    page = window.plan_page
    workspace = page.workspace
    yield lambda: workspace.dose.is_current and bool(workspace.dvhs)
    spec = attrs.evolve(workspace.plan.dose_grid, spacing_cm=0.25)
    figures["opening the plan"] = heart.phase()
    workspace.apply(
        "Slow", lambda p: attrs.evolve(p, algorithm=Algorithm.MONTE_CARLO, uncertainty_pct=0.5, dose_grid=spec)
    )
    yield lambda: workspace.dose.status == "preview" and bool(workspace.shown_dvhs)
    figures["until the preview"] = heart.phase()
    cancels = []
    for number in range(_CANCELS):
        page.dose_bar.final.click()
        began_s = time.perf_counter()
        yield lambda began_s=began_s: time.perf_counter() - began_s > seconds
        figures[f"run {number + 1}, {seconds:g} s"] = heart.phase()
        clicked_s = time.perf_counter()
        page.dose_bar.cancel.click()
        yield lambda: workspace.dose.final_run is None
        cancels.append(round(time.perf_counter() - clicked_s, 3))
        figures[f"cancel {number + 1}"] = heart.phase() | {"seconds": cancels[-1]}
    figures["cancel, s"] = {"worst": max(cancels), "all": cancels}


if __name__ == "__main__":
    main()
