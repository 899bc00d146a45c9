"""Run one operation in a process of its own, to its end or to its death, and hear what it told."""

from __future__ import annotations

import json
import os
import signal
import traceback
from collections.abc import Callable
from pathlib import Path

import attrs

from ert.errors import ErtError
from ert.storage.site import Site
from tests.integration.storage.faults import shim
from tests.integration.storage.faults.judge import Expected, Outcome, opened
from tests.integration.storage.faults.operations import Operation, furnish
from tests.integration.storage.faults.scene import Facts, Scene, facts_of

HANGS_AFTER_S = 120


@attrs.frozen
class Stage:
    """A scene ready for an operation, and what is expected of it."""

    operation: Operation
    template: Scene
    expected: Expected
    calls: int


def furnished(folder: Path) -> Scene:
    """The scene that all operations begin with."""
    scene = Scene(folder / "furnished")
    scene.folder.mkdir()
    furnish(scene)
    return scene


def stage(base: Scene, operation: Operation, folder: Path, *, is_counting: bool = True) -> Stage:
    """Prepare an operation, and do it once without any fault; its calls are counted if the interposer is there."""
    template = base.copied(folder / f"{operation.name}-template")
    operation.prepare(template)
    twin = template.copied(folder / f"{operation.name}-once")
    before = _facts(template.copied(folder / f"{operation.name}-before")) if operation.has_before else None
    outcome = run(twin, operation, is_counting=is_counting)
    if outcome.error or outcome.ended != "by itself" or "done" not in outcome.told:
        raise RuntimeError(f"{operation.name} does not even work without a fault: {outcome}")
    after = _facts(twin)
    return Stage(operation, template, Expected(before or after, after), outcome.calls)


def _facts(scene: Scene) -> Facts:
    site = opened(scene)
    try:
        return facts_of(site)
    finally:
        site.close()


def run(
    scene: Scene,
    operation: Operation,
    *,
    point: int = 0,
    fault: shim.Fault = shim.Fault.NONE,
    is_repeating: bool = False,
    is_counting: bool = True,
) -> Outcome:
    """Fork, do the operation, and let the call numbered `point` meet the fault."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            signal.alarm(HANGS_AFTER_S)
            if is_counting:
                _child(scene, operation, writing, point, fault, is_repeating=is_repeating)
            else:
                _undisturbed(scene, operation, writing)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        lines = [json.loads(line) for line in pipe.read().splitlines(keepends=True) if line.endswith(b"\n")]
    _, status = os.waitpid(child, 0)
    return heard(lines, status)


def heard(lines: list[dict], status: int) -> Outcome:
    """What a process told line by line, and how it ended."""
    outcome = Outcome()
    for line in lines:
        for name, value in line.items():
            outcome.told.append(value) if name == "told" else setattr(outcome, name, value)
    if os.WIFSIGNALED(status):
        outcome.ended = "hung" if os.WTERMSIG(status) == signal.SIGALRM else "killed"
    return outcome


def _child(scene: Scene, operation: Operation, out: int, point: int, fault: shim.Fault, *, is_repeating: bool) -> None:
    def say(**what: object) -> None:
        os.write(out, json.dumps(what).encode() + b"\n")

    shim.arm(scene.folder, 0, shim.Fault.NONE)  # handles opened from here on are known
    site = None if operation.opens_itself else scene.open()
    shim.arm(scene.folder, point, fault)
    error = attempt(operation, scene, site, lambda text: say(told=text))
    say(calls=shim.disarm(), struck=shim.struck(), **error)
    if is_repeating and error and not operation.opens_itself:
        say(was_repeated=True, told="again")
        again = attempt(operation, scene, site, lambda text: say(told=text))
        if not again.get("is_ours", True):
            say(**again)


def _undisturbed(scene: Scene, operation: Operation, out: int) -> None:
    site = None if operation.opens_itself else scene.open()
    error = attempt(operation, scene, site, lambda text: os.write(out, json.dumps({"told": text}).encode() + b"\n"))
    os.write(out, json.dumps(error).encode() + b"\n")


def attempt(operation: Operation, scene: Scene, site: Site | None, tell: Callable[[str], object]) -> dict[str, object]:
    """Do an operation; return what it raised."""
    try:
        operation.act(scene, site, tell)
    except ErtError as error:
        is_said = bool(error.sentence.strip()) and bool(error.hint.strip())
        return {"error": f"{type(error).__name__}: {error.sentence} | {error.hint}", "is_ours": is_said}
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is judged
        where = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
        return {"error": f"{type(error).__name__}: {error} at {' '.join(where[-6:])}", "is_ours": False}
    return {}


def shared_out(workers: int, part: Callable[[int], dict]) -> list[dict]:
    """Let forked processes do a part each; return what each of them found."""
    pipes = []
    for worker in range(workers):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                with os.fdopen(writing, "wb") as out:
                    out.write(json.dumps(part(worker)).encode())
                os._exit(0)
            except BaseException:  # noqa: BLE001 - the folder is the parent's to remove, so nothing may unwind here
                traceback.print_exc()
            finally:
                os._exit(1)
        os.close(writing)
        pipes.append((child, reading))
    found = []
    for child, reading in pipes:
        with os.fdopen(reading, "rb") as pipe:
            data = pipe.read()
        _, status = os.waitpid(child, 0)
        if status or not data:
            raise RuntimeError("a part was not done to its end")
        found.append(json.loads(data))
    return found
