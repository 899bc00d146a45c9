"""Kill a process at random moments of whatever it does to a site, and judge what is left.

    python -m tests.integration.storage.faults.kill_anything --kills 1000
    python -m tests.integration.storage.faults.kill_anything --kills 60 --only save --sabotage rows-first

Where `points` kills before each call, this kills (SIGKILL) by the clock: between calls, within SQLCipher, within the
system. The operations are those of operations.py: saving, importing, signing, merging, backing up, restoring, renewing
keys and files, changing a password, bringing an older site up to date, sweeping, clearing the cache. What must hold
afterwards is what judge.py says. ``--sabotage`` as for `points`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import attrs

from tests.integration.storage.faults import sabotage
from tests.integration.storage.faults.judge import Outcome, judge
from tests.integration.storage.faults.operations import OPERATIONS, Operation
from tests.integration.storage.faults.run_one import Stage, attempt, furnished, heard, shared_out, stage
from tests.integration.storage.faults.scene import Scene
from tests.integration.storage.workshop import workshop

TOLD_EVERY = 100
LATEST = 1.1  # of the time an operation takes


@attrs.define
class Tally:
    """What was seen: kills by operation, how many came before its end, what was broken."""

    kills: int = 0
    in_time: int = 0
    acknowledged: int = 0
    there: int = 0
    broken: int = 0
    seconds: float = 0.0
    of: dict[str, int] = attrs.field(factory=dict)
    examples: list[str] = attrs.field(factory=list)


def killed(scene: Scene, operation: Operation, after_s: float | None) -> tuple[Outcome, float]:
    """Do an operation and kill it so long after it was begun, or never; return what it told, and how long it took."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            site = None if operation.opens_itself else scene.open()
            os.write(writing, json.dumps({"told": "begun"}).encode() + b"\n")
            attempt(operation, scene, site, lambda text: os.write(writing, json.dumps({"told": text}).encode() + b"\n"))
            os.write(writing, json.dumps({"told": "ended"}).encode() + b"\n")
            signal.pause()
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        lines = [pipe.readline()]
        begun = time.monotonic()
        if after_s is None:
            while b"ended" not in lines[-1]:
                lines.append(pipe.readline())
        else:
            time.sleep(after_s)
        took_s = time.monotonic() - begun
        os.kill(child, signal.SIGKILL)
        lines += pipe.read().splitlines(keepends=True)
    _, status = os.waitpid(child, 0)
    return heard([json.loads(line) for line in lines if line.endswith(b"\n")], status), took_s


def _part(stages: list[Stage], numbers: list[int], folder: Path, asked: argparse.Namespace) -> dict:
    tally = Tally()
    rng = random.Random(f"{asked.seed} {numbers[:1]}")
    folder.mkdir()
    with sabotage.of(asked.sabotage):
        lasts_s: dict[str, float] = {}
        for number in numbers:
            staged = stages[number % len(stages)]
            name = staged.operation.name
            if name not in lasts_s:
                _, lasts_s[name] = _once(staged, folder, None)
            outcome, _ = _once(staged, folder, rng.uniform(0.0, LATEST * lasts_s[name]), tally)
            tally.kills += 1
            tally.in_time += "ended" not in outcome.told
            tally.acknowledged += "done" in outcome.told
            tally.of[name] = tally.of.get(name, 0) + 1
            if tally.kills % TOLD_EVERY == 0:
                print(json.dumps(attrs.asdict(tally)), file=sys.stderr, flush=True)
    return attrs.asdict(tally)


def _once(staged: Stage, folder: Path, after_s: float | None, tally: Tally | None = None) -> tuple[Outcome, float]:
    scene = staged.template.copied(folder / "scene")
    try:
        outcome, took_s = killed(scene, staged.operation, after_s)
        if tally is not None:
            judged = judge(scene, staged.operation, staged.expected, outcome)
            tally.there += judged.is_there
            tally.broken += bool(judged.broken)
            tally.examples += [f"{staged.operation.name}: {outcome.told}: {judged.broken}"] if judged.broken else []
    finally:
        shutil.rmtree(scene.folder)
    return outcome, took_s


def main() -> int:
    """Run from the command line; exit 1 when an invariant was broken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--only", nargs="*", default=[], choices=[o.name for o in OPERATIONS], metavar="OPERATION")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where scenes are made")
    parser.add_argument("--sabotage", choices=sabotage.KINDS, default="")
    asked = parser.parse_args()
    total, started = Tally(), time.monotonic()
    with workshop(asked.folder) as folder:
        base = furnished(folder)
        stages = [
            stage(base, o, folder, is_counting=False) for o in OPERATIONS if not asked.only or o.name in asked.only
        ]
        numbers = list(range(asked.kills))

        def share(worker: int) -> dict:
            return _part(stages, numbers[worker :: asked.workers], folder / f"worker-{worker}", asked)

        for found in shared_out(asked.workers, share):
            for name in ("kills", "in_time", "acknowledged", "there", "broken"):
                setattr(total, name, getattr(total, name) + found[name])
            total.examples += found["examples"]
            for name, count in found["of"].items():
                total.of[name] = total.of.get(name, 0) + count
    total.seconds = round(time.monotonic() - started, 1)
    print(*total.examples[:10], sep="\n", file=sys.stderr)
    print(json.dumps({k: v for k, v in attrs.asdict(total).items() if k != "examples"}))
    return int(bool(total.broken))


if __name__ == "__main__":
    sys.exit(main())
