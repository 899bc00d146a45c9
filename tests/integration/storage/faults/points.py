"""Let every call that an operation makes to the system fail in every way, one at a time, and judge what is left.

    python -m tests.integration.storage.faults.points                     # every point of every operation
    python -m tests.integration.storage.faults.points --points 300        # as many, the same ones each time
    python -m tests.integration.storage.faults.points --only save backup  # of these operations

Each operation is done once without a fault to count its calls, then once for each call and fault (shim.py: killed
before it, killed in the middle of a write, EIO, ENOSPC, EACCES, a short write, a disk full from then on, a disk gone
from then on). SQLCipher's own calls are among them. What must hold afterwards: judge.py. Every second process that
heard an error tries again at once, as a user would.

``--sabotage`` takes a guard away (files are named before they are written, a short write is believed, an error of the
system is not translated); the judge must see each of them, or it proves nothing.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import random
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from tests.integration.storage.faults import sabotage, shim
from tests.integration.storage.faults.judge import judge
from tests.integration.storage.faults.operations import OPERATIONS
from tests.integration.storage.faults.run_one import Stage, furnished, run, shared_out, stage
from tests.integration.storage.faults.shim import Fault
from tests.integration.storage.workshop import workshop

MODULE = "tests.integration.storage.faults.points"
FAULTS = tuple(fault for fault in Fault if fault is not Fault.NONE)
_WRITES_ONLY = {Fault.TORN, Fault.SHORT}
Point = tuple[int, Fault]


@attrs.define
class Tally:
    """What was seen."""

    operations: int = 0
    calls: int = 0
    points: int = 0
    killed: int = 0
    refused: int = 0
    survived: int = 0
    kept_though_refused: int = 0
    broken: int = 0
    seconds: float = 0.0
    calls_of: dict[str, int] = attrs.field(factory=dict)
    examples: dict[str, list[str]] = attrs.field(factory=dict)


def points_of(calls: int, faults: Sequence[Fault] = FAULTS) -> list[Point]:
    """Every point of an operation with so many calls."""
    return list(itertools.product(range(1, calls + 1), faults))


def judge_point(tally: Tally, staged: Stage, folder: Path, number: int, fault: Fault) -> None:
    """Do the operation once with a fault at one call."""
    scene = staged.template.copied(folder / "scene")
    operation = staged.operation
    try:
        outcome = run(scene, operation, point=number, fault=fault, is_repeating=number % 2 == 1)
        if fault in _WRITES_ONLY and not outcome.struck.startswith("write") and outcome.ended == "by itself":
            return  # nothing happened: that call writes nothing
        judged = judge(scene, operation, staged.expected, outcome)
    finally:
        shutil.rmtree(scene.folder)
    tally.points += 1
    tally.killed += outcome.ended == "killed"
    tally.refused += bool(outcome.error)
    tally.survived += outcome.ended == "by itself" and not outcome.error
    is_refused = bool(outcome.error) and "done" not in outcome.told
    tally.kept_though_refused += is_refused and judged.is_there and staged.expected.before != staged.expected.after
    if broken := judged.broken:
        tally.broken += 1
        where = f"{operation.name} {number}/{staged.calls} {fault.name} at {outcome.struck or '?'}"
        tally.examples.setdefault(broken[0][:60], []).append(f"{where}: {broken}")


def spread_points(name: str, calls: int, count: int, faults: Sequence[Fault] = FAULTS) -> list[Point]:
    """As many points of an operation as asked for, the same ones each time: calls from first to last, faults in turn.

    Every fault is met equally often, and each of so many equal stretches of the operation's calls is met once.
    """
    if count >= calls * len(faults):
        return points_of(calls, faults)
    rng, turns = random.Random(name), []
    while len(turns) < count:
        turns += rng.sample(faults, len(faults))
    return [(1 + int((n + rng.random()) * calls / count), turns[n]) for n in range(count)]


def chosen(stages: Sequence[Stage], count: int, faults: Sequence[Fault]) -> Iterator[tuple[Stage, Point]]:
    """All points, or as many of each operation, the same ones each time."""
    for staged in stages:
        wanted = -(-count // len(stages)) if count else staged.calls * len(faults)
        for point in spread_points(staged.operation.name, staged.calls, wanted, faults):
            yield staged, point


def _part(wanted: Sequence[tuple[Stage, Point]], worker: int, asked: argparse.Namespace, folder: Path) -> dict:
    """One worker's share of the points."""
    tally, place = Tally(), folder / f"worker-{worker}"
    place.mkdir()
    with sabotage.of(asked.sabotage):
        for staged, (number, fault) in wanted[worker :: asked.workers]:
            judge_point(tally, staged, place, number, fault)
            if asked.first and tally.broken:
                break
    return attrs.asdict(tally)


def _add(tally: Tally, found: dict) -> None:
    for name, value in found.items():
        if name == "examples":
            for kind, lines in value.items():
                tally.examples.setdefault(kind, []).extend(lines)
        elif isinstance(value, int):
            setattr(tally, name, getattr(tally, name) + value)


def main_inside(asked: argparse.Namespace) -> Tally:
    """Do it; this process has the interposer loaded."""
    tally, started = Tally(), time.monotonic()
    operations = [o for o in OPERATIONS if not asked.only or o.name in asked.only]
    with workshop(asked.folder) as folder:
        base = furnished(folder)
        stages = [stage(base, operation, folder) for operation in operations]
        tally.operations = len(stages)
        tally.calls_of = {staged.operation.name: staged.calls for staged in stages}
        tally.calls = sum(tally.calls_of.values())
        wanted = list(chosen(stages, asked.points, [Fault[name] for name in asked.faults]))
        for found in shared_out(asked.workers, lambda worker: _part(wanted, worker, asked, folder)):
            _add(tally, found)
    tally.seconds = round(time.monotonic() - started, 1)
    return tally


def main() -> int:
    """Run from the command line; exit 1 when an invariant was broken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--points", type=int, default=0, help="how many; 0 for all")
    parser.add_argument("--only", nargs="*", default=[], choices=[o.name for o in OPERATIONS], metavar="OPERATION")
    names = [fault.name for fault in FAULTS]
    parser.add_argument("--faults", nargs="*", default=names, choices=names, metavar="FAULT")
    parser.add_argument("--workers", type=int, default=1, help="how many processes share the points")
    parser.add_argument("--folder", type=Path, help="where scenes are made")
    parser.add_argument("--sabotage", choices=sabotage.KINDS, default="")
    parser.add_argument("--first", action="store_true", help="stop at the first violation")
    parser.add_argument("--examples", type=int, default=1, help="how many of each kind of violation are shown")
    asked = parser.parse_args()
    if not shim.is_loaded():
        return shim.run_module(MODULE, sys.argv[1:])
    tally = main_inside(asked)
    counted = {kind: len(found) for kind, found in tally.examples.items()}
    for found in tally.examples.values():
        print(*found[: asked.examples], sep="\n", file=sys.stderr)
    figures = attrs.asdict(tally) | {"examples": counted}
    print(json.dumps(collections.OrderedDict(figures)))
    return int(bool(tally.broken))


if __name__ == "__main__":
    sys.exit(main())
