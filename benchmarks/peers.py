"""What the comparisons with other programs share: their process, CPU time, and the state of the machine.

A peer runs in a Python of its own (`--peer-python`), as a child that answers one line of JSON a request, so that runs
of both sides can alternate: A B A B. Each side measures its own CPU time; the least of the repeats counts.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
_HEAD = """
import json, os, sys, time, warnings
warnings.simplefilter("ignore")
answers = os.fdopen(os.dup(1), "w")  # what compiled code prints must not mix with the answers either
os.dup2(2, 1)
"""
_LOOP = """
for line in sys.stdin:
    request = json.loads(line)
    began = time.process_time()
    found = run(**request)
    print(json.dumps({"cpu_s": time.process_time() - began, **found}), file=answers, flush=True)
"""


class Peer:
    """A peer's process: `script` defines run(**request) -> dict; what it prints goes to the error stream."""

    def __init__(self, python: Path, script: str) -> None:
        self.process = subprocess.Popen(
            [str(python), "-c", _HEAD + script + _LOOP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": ""},
        )

    def run(self, **request: object) -> dict[str, Any]:
        """One request; the answer holds cpu_s and what the script found."""
        pipe_in, pipe_out = self.process.stdin, self.process.stdout
        if pipe_in is None or pipe_out is None:
            raise SystemExit("The peer's process has no pipes.")
        print(json.dumps(request), file=pipe_in, flush=True)
        answer = pipe_out.readline()
        if not answer:
            raise SystemExit(f"The peer stopped (exit code {self.process.wait()}). Is the package in that Python?")
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        """End the process."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of this process, and the result."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def calibration_gflops(size: int = 768, repeats: int = 5) -> float:
    """Fused multiply-adds this processor does right now on one thread, in 10⁹ operations a CPU second (two each)."""
    a = np.ones((size, size))
    seconds = [timed(lambda: a @ a)[0] for _ in range(repeats + 1)][1:]
    return 2e-9 * size**3 / min(seconds)


def print_machine() -> None:
    """One line: processors, load, calibration."""
    load = ", ".join(f"{v:.2f}" for v in os.getloadavg())
    print(f"{os.cpu_count()} processors, load {load}, calibration {calibration_gflops():.1f} GFMA-flop/CPU-s")
