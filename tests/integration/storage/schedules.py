"""Every order of several people's steps on one plan, each judged by a model of three lines.

    python -m tests.integration.storage.schedules [--people 4] [--rounds 1]
    python -m tests.integration.storage.schedules --blind   # a control, the last one wins: must find wrong answers

A person looks at the plan and then saves an edit of it; in a schedule each does so some rounds long, and the steps of
all come in an order. What must come out is known beforehand: a save is accepted if nothing was saved since that person
last looked or saved, otherwise it is refused and leaves nothing. 4 people make 2,520 orders, 3 make 90; 2 people with
two rounds make 70. Prints the figures as JSON and exits with 1 if one order came out otherwise.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.integration.storage import samples
from tests.integration.storage.interleaving import Person, Said

ROUND = ("look_at_plan", "rename")


def orders(*people: Sequence[Any]) -> Iterator[list[tuple[int, Any]]]:
    """Every way in which several people's steps can follow one another: (person, step) in order."""
    if not any(people):
        yield []
    for person, steps in enumerate(people):
        if steps:
            rest = [left[1:] if other == person else left for other, left in enumerate(people)]
            for order in orders(*rest):
                yield [(person, steps[0]), *order]


class Model:
    """What the plan must be: its newest revision, whose edit each one is, and what each person saw last."""

    def __init__(self, people: int) -> None:
        self.names = [""]
        self._seen = [0] * people

    def look(self, person: int) -> Said:
        self._seen[person] = len(self.names)
        return ("done", "None")

    def rename(self, person: int, name: str) -> Said:
        if self._seen[person] != len(self.names):
            return ("refused", "StaleRevision")
        self.names.append(name)
        self._seen[person] = len(self.names)
        return ("done", str(len(self.names)))


def run(root: Path, people: list[Person], rounds: int, plan_id: str) -> dict[str, int]:
    """Do every order on one plan, one behind the other; say how many answers and revisions were not the model's."""
    model, found = Model(len(people)), {"orders": 0, "saves": 0, "refused": 0, "wrong_answers": 0}
    for person in people:
        person.do("open_site", str(root), plan_id)
    for number, order in enumerate(orders(*[ROUND * rounds] * len(people))):
        found["orders"] += 1
        for step, (who, action) in enumerate(order):
            if action == "rename":
                name = f"order {number} step {step} of {who}"
                said, wanted = people[who].do(action, name), model.rename(who, name)
                found["saves" if said[0] == "done" else "refused"] += 1
            else:
                said, wanted = people[who].do(action), model.look(who)
            found["wrong_answers"] += (said[0], said[1].partition(":")[0]) != wanted
    for person in people:
        person.do("close_site")
    return {**found, **judge(root, plan_id, model.names)}


def judge(root: Path, plan_id: str, names: list[str]) -> dict[str, int]:
    """How many edits of the model are not where they belong, and how many revisions are there that it has not."""
    site = samples.open_site(root)
    try:
        newest = site.plans.head(plan_id).revision
        kept = [site.plans.load(plan_id, revision=n + 1).plan.name for n in range(1, newest)]
        site.activity.revisions(plan_id)
    finally:
        site.close()
    wanted = names[1:]
    misplaced = sum(one != other for one, other in zip(wanted, kept, strict=False))
    return {
        "lost": len(set(wanted) - set(kept)), "doubled": len(kept) - len(set(kept)),
        "misplaced": misplaced + abs(len(kept) - len(wanted)),
    }  # fmt: skip


def prepare(root: Path) -> str:
    """A site with one plan at revision 1; its id."""
    samples.copied_site(root)
    site = samples.open_site(root)
    plan = samples.plan_of(samples.import_one(site))
    site.plans.save(plan, base_revision=0)
    site.close()
    return plan.id


def is_clean(found: dict[str, int]) -> bool:
    return not any(found[name] for name in ("wrong_answers", "lost", "doubled", "misplaced"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--blind", action="store_true", help="a control: the last one wins")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "site"
        plan_id = prepare(root)
        without = ("look at revisions",) if arguments.blind else ()
        people = [Person(without=without) for _ in range(arguments.people)]
        found = run(root, people, arguments.rounds, plan_id)
        for person in people:
            person.leave()
    print(json.dumps(found))
    return 0 if is_clean(found) else 1


if __name__ == "__main__":
    sys.exit(main())
