"""What belongs to Qt is destroyed in the window's thread, also as part of a cycle."""

import gc
import threading
import weakref

from PySide6.QtCore import QObject

from ert.ui.garbage import GarbageCollector


class Knot(QObject):
    """A Qt object in a cycle with itself."""

    def __init__(self):
        super().__init__()
        self.me = self


def make_many_objects():
    """Far more than what makes Python search by itself."""
    return [[n] for n in range(50_000)]


def test_cycles_are_found_by_the_event_loop_and_never_by_another_thread(qtbot):
    collector, found_by = GarbageCollector(), []
    try:
        knot = Knot()
        weakref.finalize(knot, lambda: found_by.append(threading.current_thread()))
        del knot
        worker = threading.Thread(target=make_many_objects)
        worker.start()
        worker.join()
        assert found_by == []
        kept = make_many_objects()
        qtbot.waitUntil(lambda: bool(found_by), timeout=10_000)
        assert kept
    finally:
        collector.stop()
    assert found_by == [threading.main_thread()]
    assert gc.isenabled()
