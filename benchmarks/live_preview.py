"""How fast the dose follows the hand: an aperture point dragged in the real window, from mouse move to repainted dose.

    xvfb-run -a -s "-screen 0 1920x1080x24" python benchmarks/live_preview.py [--size 1366x768] [--moves 60] [--out DIR]

Each move is sent to the beam's eye view as a mouse event; the clock stops when the axial view has painted a preview of
exactly the outline under the hand. `--every 16` sends moves at a steady pace instead, as a hand does: then the lag is
from a move to the first painted preview of it or of a later one. Also: the longest time the event loop was held.
`--out` gets a picture of the window in the middle of the drag.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")  # as the program has it

from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QMouseEvent
from PySide6.QtWidgets import QApplication

from ert.app.jobs import Jobs
from ert.app.session import SiteSession
from ert.ui.beam_eye_scene import VertexHandle
from ert.ui.beam_eye_view import BeamEyeView
from ert.ui.jobs_bridge import Dispatcher
from ert.ui.main_window import MainWindow
from ert.ui.plan_page import PlanPage
from tests.ui import real_site

_WAIT_S = 60.0


class Watch(QObject):
    """Notes what each paint of a view showed, and how long the event loop was held."""

    def __init__(self, page: PlanPage) -> None:
        super().__init__()
        self.page, self.view = page, page.views.slices[2]
        self.painted: list[tuple[float, object]] = []
        self.longest_s = self.longest_cpu_s = 0.0
        self.view.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """After a paint, remember the outline it was of."""
        if event.type() == QEvent.Type.Paint:
            self.view.paintEvent(event)
            preview = self.page.workspace.dose.preview
            number = self.page.state.beam_number
            beams = () if preview is None else preview.sketched_beams
            outline = next((b.aperture.outline_cm for b in beams if b.number == number), None)
            self.painted.append((time.perf_counter(), outline))
            return True
        return False

    def turn(self) -> None:
        """One turn of the event loop."""
        self.timed(QApplication.processEvents)
        time.sleep(0.0005)

    def timed(self, work: Callable[[], object]) -> None:
        """Do something on this thread and note how long it took, by the clock and in its own processor time."""
        began_s, began_cpu_s = time.perf_counter(), time.thread_time()
        work()
        self.longest_s = max(self.longest_s, time.perf_counter() - began_s)
        self.longest_cpu_s = max(self.longest_cpu_s, time.thread_time() - began_cpu_s)

    def until(self, condition: Callable[[], bool], wait_s: float = _WAIT_S) -> bool:
        """Turn the loop until something holds."""
        end_s = time.perf_counter() + wait_s
        while not condition():
            if time.perf_counter() > end_s:
                return False
            self.turn()
        return True


def send(view: BeamEyeView, kind: QEvent.Type, at: QPointF) -> None:
    """A mouse event of the left button to the view's viewport."""
    port = view.viewport()
    buttons = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseButtonRelease else Qt.MouseButton.LeftButton
    button = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
    place = QPointF(port.mapToGlobal(at.toPoint()))
    QApplication.sendEvent(port, QMouseEvent(kind, at, place, button, buttons, Qt.KeyboardModifier.NoModifier))


def drag(page: PlanPage, watch: Watch, moves: int, every_ms: float, shoot: Callable[[], object]) -> list[float]:
    """Drag a point there and back; seconds from each move to its painted dose."""
    eye = page.views.beam_eye
    handles = [i for i in eye.scene().items() if isinstance(i, VertexHandle)]
    handle = max(handles, key=lambda item: item.pos().x())
    start = QPointF(eye.mapFromScene(handle.pos()))
    send(eye, QEvent.Type.MouseButtonPress, start)
    lags, sent = [], []
    for n in range(1, moves + 1):
        began_s = time.perf_counter()
        at = start - QPointF(0.7 * n, 0.3 * n)
        watch.timed(lambda at=at: send(eye, QEvent.Type.MouseMove, at))
        outline = tuple(eye.outline_cm)
        sent.append((began_s, outline))
        if every_ms:
            watch.until(lambda began_s=began_s: time.perf_counter() - began_s >= every_ms / 1000)
        elif watch.until(lambda outline=outline: bool(watch.painted) and watch.painted[-1][1] == outline):
            lags.append(watch.painted[-1][0] - began_s)
        if n == moves // 2:
            shoot()
    if every_ms:
        watch.until(lambda: watch.painted[-1][1] == sent[-1][1])
        order = {outline: n for n, (_, outline) in enumerate(sent)}
        for n, (began_s, _) in enumerate(sent):
            later = (at for at, shown in watch.painted if order.get(shown, -1) >= n)
            lags.append(next(later) - began_s)
    send(eye, QEvent.Type.MouseButtonRelease, start - QPointF(0.7 * moves, 0.3 * moves))
    return lags


def shown_plan(window: MainWindow, session: SiteSession, size: tuple[int, int]) -> PlanPage:
    """The window on the screen with the demo plan open."""
    window.resize(*size)
    window.move(0, 0)
    window.show()
    window.show_site(session)
    window.open_plan(session.patients()[0].courses[0].plans[0].plan_id)
    end_s = time.perf_counter() + _WAIT_S
    while window.plan_page is None and time.perf_counter() < end_s:
        QApplication.processEvents()
    if window.plan_page is None:
        raise TimeoutError("The plan did not open.")
    return window.plan_page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--moves", type=int, default=60)
    parser.add_argument(
        "--every", type=float, default=0.0, help="milliseconds between moves; 0: when the last is shown"
    )
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    width, height = (int(part) for part in arguments.size.split("x"))
    app = QApplication(sys.argv[:1])
    dispatcher = Dispatcher()
    jobs = Jobs(dispatcher)
    with tempfile.TemporaryDirectory() as folder:
        path = real_site.filled_site(Path(folder) / "site")
        window = MainWindow(real_site.gateway(), jobs, with_3d=False)
        session = SiteSession.open(
            real_site.gateway(), jobs, path, user_name=real_site.USER, password=real_site.PASSWORD
        )
        page = shown_plan(window, session, (width, height))
        watch = Watch(page)
        page.beams.add_button.click()
        watch.until(lambda: page.workspace.dose.is_current)
        watch.until(lambda: not jobs.active(), 5.0)
        watch.longest_s = 0.0

        def shoot() -> None:
            if arguments.out is not None:
                arguments.out.mkdir(parents=True, exist_ok=True)
                picture = QGuiApplication.primaryScreen().grabWindow(0, 0, 0, width, height)
                picture.save(str(arguments.out / f"live_preview_{width}.png"))

        drag(page, watch, 3, 0.0, lambda: None)  # warm
        watch.until(lambda: page.workspace.dose.is_current)
        watch.longest_s = watch.longest_cpu_s = 0.0
        began_cpu_s = time.process_time()
        lags = drag(page, watch, arguments.moves, arguments.every, shoot)
        cpu_s = time.process_time() - began_cpu_s
        held_s, held_cpu_s, preview = watch.longest_s, watch.longest_cpu_s, page.workspace.dose.preview
        spacing_mm = 0.0 if preview is None else 10 * preview.grid.spacing_cm[0]
        released_s = time.perf_counter()
        watch.until(lambda: page.workspace.dose.is_current)
        lags.sort()
        after_ms = 1e3 * (time.perf_counter() - released_s)
        print(f"{len(lags)} moves, {arguments.size}, grid {spacing_mm:g} mm, load {os.getloadavg()[0]:.0f}")
        print(
            f"move to painted dose: median {1e3 * statistics.median(lags):.0f} ms, "
            f"90 % {1e3 * lags[9 * (len(lags) - 1) // 10]:.0f} ms, worst {1e3 * lags[-1]:.0f} ms; "
            f"processor time {1e3 * cpu_s / len(lags):.0f} ms a move"
        )
        print(f"event loop held at most {1e3 * held_s:.0f} ms, {1e3 * held_cpu_s:.0f} ms of them processor time")
        print(f"plan's own dose {after_ms:.0f} ms after release")
        window._close_plan_page(page)
        watch.until(lambda: not jobs.active(), 5.0)
        session.close()
        window.close()
    jobs.shutdown()
    dispatcher.close()
    app.quit()


if __name__ == "__main__":
    main()
