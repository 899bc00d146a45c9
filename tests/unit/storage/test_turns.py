"""Turns at writing: one at a time, handed on when the holder leaves; never in the way of who cannot have one."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading

from ert.storage.turns import TURN_LOCK, Turns

HOLD = """
import sys
from pathlib import Path
from ert.storage.turns import Turns
with Turns(Path(sys.argv[1])).mine() as is_mine:
    print(is_mine, flush=True)
    sys.stdin.readline()
"""


def test_the_next_one_is_let_in_when_the_holder_leaves(tmp_path):
    turns, order, asked = Turns(tmp_path), [], threading.Event()

    def second() -> None:
        asked.set()
        with turns.mine() as is_mine:
            order.append(("second", is_mine))

    with turns.mine() as is_mine:
        waiting = threading.Thread(target=second)
        waiting.start()
        assert asked.wait(30)
        order.append(("first", is_mine))
    waiting.join(30)
    assert order == [("first", True), ("second", True)]


def test_a_turn_ends_with_its_process(tmp_path, repository):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "True\n"
        with Turns(tmp_path, patience_s=0.0).mine() as is_mine:
            assert not is_mine
        other.kill()
        with Turns(tmp_path).mine() as is_mine:
            assert is_mine


def test_who_lost_patience_leaves_no_turn_behind(tmp_path):
    with Turns(tmp_path).mine() as is_first, Turns(tmp_path, patience_s=0.0).mine() as is_second:
        assert (is_first, is_second) == (True, False)
    with Turns(tmp_path).mine() as is_mine:
        assert is_mine


def test_where_no_queue_can_be_had_writing_goes_on_without(tmp_path):
    with Turns(tmp_path / "missing").mine() as is_mine:
        assert not is_mine
    (tmp_path / TURN_LOCK).mkdir()
    with Turns(tmp_path).mine() as is_mine:
        assert not is_mine


def test_an_error_of_closing_is_no_error_of_the_queue(tmp_path, monkeypatch):
    """A share that went away says so when the handle is given back: what was written then is decided elsewhere."""
    came, real = [], os.close

    def failing(handle):
        real(handle)
        came.append(handle)
        raise OSError(errno.EIO, "gone")

    turns = Turns(tmp_path, patience_s=0.0)
    with turns.mine() as is_first:
        with turns.mine() as is_second:  # queues on a thread, which is left behind
            assert (is_first, is_second) == (True, False)
        (left,) = (t for t in threading.enumerate() if t.name == "turn at writing")
        monkeypatch.setattr("ert.storage.turns.os.close", failing)
    left.join(30)
    assert len(came) == 2
