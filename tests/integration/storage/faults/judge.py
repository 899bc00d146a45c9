"""What must hold of a site after whatever happened to the process that worked with it.

I1  What was acknowledged is there.
I2  What was begun is there as a whole or not at all.
I3  Every row, code and file is what its row says: the whole-site check at level 4 finds nothing.
I4  The history is one unbroken chain and names every revision once.
I5  Everything can be loaded as a user would: no plan, dose or image lacks a part.
I6  What is left over lies where the sweep finds it: a day later nothing of it is left.
I7  What did not work was said in a sentence, with what to do about it; never in an error of Python or the database.
I8  Unsaved edits that were kept are still offered, and the operation works once the fault is gone.

Further promises of single operations (backups verify, caches answer rightly) count as I5.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from ert.domain.record import Severity
from ert.errors import ErtError, WrongKey
from ert.storage.anchors import Anchors
from ert.storage.check_files import find_strays
from ert.storage.site import Site
from tests.integration.storage.faults.operations import Operation, age
from tests.integration.storage.faults.scene import NEW_PASSWORD, Facts, Scene, facts_of, load_everything

_HISTORY_CODES = {"ERT-450", "CHECK-REVISIONS", "CHECK-WENT-BACK"}
_EXPECTED = {
    "site": {
        "store.json",
        "site.db",
        "site.lock",
        "site.turn",
        "keys.lock",
        "data",
        "keys",
        "tmp",
        "trash",
        "backup",
        "sessions",
    },
    "drafts": {".ertd", ".lock"},
    "anchors": {".json", ".jsonl", ".log"},
}


@attrs.define
class Outcome:
    """What a process told before it ended.

    Attributes
    ----------
    told : steps that were acknowledged.
    error : "" or, of what it raised, type, sentence and hint.
    is_ours : whether that error is one of ERT's.
    ended : "by itself", "killed", "hung".
    struck : the call that met the fault.
    calls : how many were counted.
    was_repeated : the same process tried once more after the fault was gone.
    """

    told: list[str] = attrs.field(factory=list)
    error: str = ""
    is_ours: bool = True
    ended: str = "by itself"
    struck: str = ""
    calls: int = 0
    was_repeated: bool = False


@attrs.frozen
class Expected:
    """A site before an operation and after it."""

    before: Facts
    after: Facts


def opened(scene: Scene) -> Site:
    """Open the site with the password that counts now."""
    try:
        return scene.open()
    except WrongKey:
        return scene.open(password=NEW_PASSWORD)


@attrs.define
class Judgement:
    """What is broken, and whether the operation is there."""

    broken: list[str]
    is_there: bool = False


def judge(scene: Scene, operation: Operation, expected: Expected, outcome: Outcome) -> Judgement:
    """Judge a scene after an operation that met a fault; nothing is broken if every invariant holds."""
    judged = Judgement(list(_of_the_outcome(outcome)))
    broken = judged.broken
    try:
        site = opened(scene)
    except ErtError as error:
        broken.append(f"I1 the site does not open: {type(error).__name__} {error.sentence} ({error.detail})")
        return judged
    try:
        found = facts_of(site)
        judged.is_there = found == expected.after
        broken += _of_the_facts(found, operation, expected, outcome)
        broken += _of_the_check(site)
        broken += [f"I5 {text}" for text in operation.judge(scene, frozenset(outcome.told))]
        broken += _of_the_rest(scene, site)
    except ErtError as error:
        broken.append(f"I5 {type(error).__name__}: {error.sentence} ({error.detail})")
    finally:
        site.close()
    if not broken and not judged.is_there:
        broken += _of_the_repetition(scene, operation, expected)
    return judged


def _of_the_outcome(outcome: Outcome) -> Iterator[str]:
    if outcome.ended == "hung":
        yield "I7 it did not end"
    if outcome.error and not outcome.is_ours:
        yield f"I7 {outcome.error}"


def _of_the_facts(found: Facts, operation: Operation, expected: Expected, outcome: Outcome) -> Iterator[str]:
    states = (expected.before, expected.after) if operation.has_before else (expected.after,)
    if "done" in outcome.told and not _is_after(found, operation, expected):
        yield f"I1 acknowledged, but not there: {_difference(found, expected.after)}"
    elif operation.is_atomic and found not in states:
        yield f"I2 neither as before nor as after: {_difference(found, expected.after)}"
    elif not operation.is_atomic:
        yield from _between(found, expected)


def _is_after(found: Facts, operation: Operation, expected: Expected) -> bool:
    """Whether it is done; what is done in steps may have been begun twice, which the history says twice."""
    return found == expected.after if operation.is_atomic else found.rows == expected.after.rows


def _between(found: Facts, expected: Expected) -> Iterator[str]:
    """An operation of several steps: every row is one of before or after, and none is missing or new."""
    for name, rows in found.rows.items():
        before, after = expected.before.rows[name], expected.after.rows[name]
        if not set(rows) <= {*before, *after} or len(rows) not in {len(before), len(after)}:
            yield f"I2 rows of {name} are neither of before nor of after"
    earlier = len(expected.before.events)
    if found.events[:earlier] != expected.before.events or not set(found.events[earlier:]) <= set(
        expected.after.events
    ):
        yield f"I4 the history is neither that of before nor of after: {found.events[-2:]}"


def _difference(found: Facts, wanted: Facts) -> str:
    tables = [name for name, rows in wanted.rows.items() if found.rows[name] != rows]
    return f"tables {tables}, events {found.events[-1:]} for {wanted.events[-1:]}, keys {found.keys} for {wanted.keys}"


def _of_the_check(site: Site) -> Iterator[str]:
    for finding in site.check():
        if finding.severity is not Severity.NOTE:
            yield f"{'I4' if finding.code in _HISTORY_CODES else 'I3'} {finding.code} {finding.subject}"
    if load_everything(site) < 1:
        yield "I5 nothing can be loaded"


def _of_the_rest(scene: Scene, site: Site) -> Iterator[str]:
    """What lies where it should not, and what a sweep a day later does not take."""
    for path in sorted(scene.root.iterdir()):
        if path.name not in _EXPECTED["site"]:
            yield f"I6 {path.name} in the site"
    for place in ("drafts", "anchors"):
        age(scene.folder / place)
    site.drafts.left_over()
    Anchors(scene.options.anchor_folder).remembered(site.site_id)
    for place in ("drafts", "anchors"):
        for path in (scene.folder / place).rglob("*"):
            if path.is_file() and path.suffix not in _EXPECTED[place]:
                yield f"I6 {path.suffix} in {place}"
    age(scene.root)
    for _ in range(2):  # to the trash, and out of it
        site.sweep()
        age(scene.root)
    yield from (f"I6 {f.code} {f.subject}" for f in find_strays(scene.root, site.records))
    left = [p for name in ("tmp", "trash") for p in (scene.root / name).rglob("*") if p.is_file()]
    yield from (f"I6 left in {p.parent.name}/: {p.name}" for p in left)


def _of_the_repetition(scene: Scene, operation: Operation, expected: Expected) -> Iterator[str]:
    if operation.is_done(scene):
        return
    site = None if operation.opens_itself else opened(scene)
    try:
        operation.act(scene, site, lambda _text: None)
    except (ErtError, OSError) as error:
        yield f"I8 it does not work afterwards: {type(error).__name__} {error}"
        return
    finally:
        if site is not None:
            site.close()
    site = opened(scene)
    try:
        found = facts_of(site)
        if not _is_after(found, operation, expected):
            yield f"I8 done again, it is not as it should be: {_difference(found, expected.after)}"
        yield from _of_the_check(site)
    finally:
        site.close()
