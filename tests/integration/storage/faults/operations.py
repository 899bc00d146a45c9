"""What is done to a site while the disk fails: each operation with what it needs, what it does, and what may be left.

``approve`` signs a plan and pins its doses, ``end-approval`` ends that again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from ert.domain.identity import new_id
from ert.domain.record import PlanStatus
from ert.domain.release import MachineRelease
from ert.errors import WrongKey
from ert.storage.site import Site
from tests.integration.storage import samples
from tests.integration.storage.faults.scene import NEW_PASSWORD, WHO, Scene, quiet

Tell = Callable[[str], None]
Told = frozenset[str]
PACKAGE = b"package\0" * 400
DOSE, NEXT_DOSE = "cd" * 32, "0a" * 32


@attrs.frozen(kw_only=True)
class Operation:
    """One thing that is done.

    Attributes
    ----------
    name : of the operation.
    act : does it; given the scene, the opened site (None if it opens one itself), and a way to say that a step is done.
    prepare : what is there before, beside a patient with a plan in one revision, its dose and a machine.
    opens_itself : the site is not open beforehand.
    is_atomic : the site is as before or as after, nothing between.
    has_before : the state before can be opened; else (a migration) looking at it already changes it.
    is_done : whether nothing is left to do, where the records alone do not tell.
    judge : further promises; given what the operation told; returns what is broken.
    """

    name: str
    act: Callable[[Scene, Site | None, Tell], None]
    prepare: Callable[[Scene], None] = lambda _scene: None
    opens_itself: bool = False
    is_atomic: bool = True
    has_before: bool = True
    is_done: Callable[[Scene], bool] = lambda _scene: False
    judge: Callable[[Scene, Told], list[str]] = lambda _scene, _told: []


class Made:
    """Records made once in the process that forks, so that every run speaks of the same ones."""

    approval_id, end_id = new_id(), new_id()

    who, image, structures = samples.patient(), samples.image(), samples.structures()
    course = samples.course_of(who, image, structures)
    plan = samples.plan_of(course)
    edited = samples.renamed(plan, "edited")
    long = samples.lengthened(edited)
    other, other_image, other_structures = samples.patient("0815"), samples.image(2), samples.structures(2)
    other_course = samples.course_of(other, other_image, other_structures)
    release = MachineRelease(
        package_digest="ef" * 32,
        machine_name="LINAC 1",
        version=1,
        model_digests=("ab" * 32,),
        ranges=("12 MeV: all",),
        statement="Checked against water tank scans.",
    )


def furnish(scene: Scene) -> None:
    """Make the workstation and its site with one of everything."""
    samples.copied_site(scene.root)
    for name in ("drafts", "anchors", "out"):
        (scene.folder / name).mkdir()
    site = scene.open()
    add_patient(site, Made.who, Made.course, Made.image, Made.structures)
    site.plans.save(Made.plan, base_revision=0, doses=[samples.dose()])
    site.machines.add(name="LINAC 1", digest="ef" * 32, content=PACKAGE)
    site.close()


def add_patient(site: Site, who: Any, course: Any, image: Any, structures: Any) -> None:  # noqa: ANN401
    """Import one made-up patient."""
    site.patients.add_import(
        patient=who, course=course, image=image, structures=structures, ct_files=samples.ct_files(image)
    )


def _save(scene: Scene, site: Site | None, tell: Tell, plan: Any = Made.edited) -> None:  # noqa: ANN401, ARG001
    journal = site.drafts.begin()
    journal.keep(plan, base_revision=1, labels=["Name"])
    tell("kept")
    site.plans.save(plan, base_revision=1, doses=[samples.dose(NEXT_DOSE, seed=9)])
    tell("done")
    journal.close()


def _save_long(scene: Scene, site: Site | None, tell: Tell) -> None:
    _save(scene, site, tell, Made.long)


def _draft_judge(scene: Scene, told: Told) -> list[str]:
    """The unsaved edit is there if it was told to be kept and the save was not; nothing unreadable is."""
    site = scene.open()
    try:
        found = site.drafts.left_over()
    finally:
        site.close()
    names = {draft.plan.name for draft in found.drafts}
    broken = [f"a draft that cannot be read: {name}" for name in found.unreadable]
    if "kept" in told and "done" not in told and names != {Made.edited.name}:
        broken.append(f"the unsaved edit is lost: {names}")
    return broken


def _import(scene: Scene, site: Site | None, tell: Tell) -> None:  # noqa: ARG001
    add_patient(site, Made.other, Made.other_course, Made.other_image, Made.other_structures)
    tell("done")


def _release(scene: Scene, site: Site | None, tell: Tell) -> None:  # noqa: ARG001
    site.releases.save(Made.release, base_revision=0)
    tell("done")


def _to_approve(scene: Scene) -> None:
    site = scene.open()
    site.plans.save(Made.plan, base_revision=1, status=PlanStatus.READY)
    site.close()


def _approve(scene: Scene, site: Site | None, tell: Tell) -> None:  # noqa: ARG001
    doses = [samples.dose()]
    unsigned = attrs.evolve(samples.approval_of(site, Made.plan, doses, revision=2), id=Made.approval_id)
    site.approvals.approve(Made.plan, unsigned, doses, base_revision=2, password=samples.PASSWORD)
    tell("done")


def _approved(scene: Scene) -> None:
    _to_approve(scene)
    site = scene.open()
    _approve(scene, site, lambda _text: None)
    site.close()


def _end_approval(scene: Scene, site: Site | None, tell: Tell) -> None:  # noqa: ARG001
    end = attrs.evolve(samples.end_of(site.approvals.state(Made.plan.id).approval), id=Made.end_id)
    site.approvals.end(Made.plan, end, base_revision=3, password=samples.PASSWORD)
    tell("done")


def _approval_judge(scene: Scene, told: Told) -> list[str]:
    """The plan is approved, or was, exactly if its newest revision says so; then its doses are what was pinned."""
    site = scene.open()
    try:
        stored = site.plans.load(Made.plan.id)
        pinned = site.approvals.pinned(stored.plan)
    finally:
        site.close()
    broken = [] if (pinned is not None) is stored.status.is_locked else [f"{stored.status} and {pinned}"]
    if pinned is not None and list(pinned.doses) != [samples.dose()]:
        broken.append("the pinned dose is another one")
    return broken + (["an acknowledged signature is lost"] if "done" in told and pinned is None else [])


def _machine(scene: Scene, site: Site | None, tell: Tell) -> None:  # noqa: ARG001
    site.machines.add(name="LINAC 2", digest="ee" * 32, content=PACKAGE[1:])
    tell("done")


def _two_patients(scene: Scene) -> None:
    site = scene.open()
    _import(scene, site, lambda _text: None)
    site.close()


def _merge(scene: Scene, site: Site | None, tell: Tell) -> None:  # noqa: ARG001
    records = {record.patient.id: record for record in site.administration.records()}
    site.administration.merge(records[Made.other.id], records[Made.who.id], reason="the same person")
    tell("done")


def _backup(scene: Scene, site: Site | None, tell: Tell) -> None:
    if site.start_backup(scene.backups).finish().is_good:  # else it says that it lacks what could not be read
        tell("done")


def _one_backup(scene: Scene) -> None:
    site = scene.open()
    _backup(scene, site, lambda _text: None)
    site.plans.save(samples.renamed(Made.plan, "second"), base_revision=1, doses=[samples.dose(NEXT_DOSE, seed=9)])
    site.close()


def _backup_judge(scene: Scene, told: Told) -> list[str]:
    """Every backup that calls itself one verifies, the earlier one among them."""
    listed = [b for b in scene.care.backups(scene.backups) if b.is_good]
    # One whose last flush failed is told as failed and is whole all the same; whoever tries again has both.
    broken = [f"{len(listed)} backups"] if len(listed) not in ({2, 3} if "done" in told else {1, 2}) else []
    for info in listed:
        _, findings = scene.care.verify_backup(scene.backups, info.backup_id, level=4, progress=quiet, **WHO)
        broken += [f"backup {info.backup_id}: {f.code} {f.subject}" for f in findings]
    return broken


def _restore(scene: Scene, site: Site | None, tell: Tell) -> None:  # noqa: ARG001
    scene.care.restore(scene.backups, "", to=scene.restored, progress=quiet, **WHO)
    tell("done")


def _restore_judge(scene: Scene, told: Told) -> list[str]:
    """A restored folder that has its name is sound."""
    if not scene.restored.exists():
        return ["the restored copy is not there"] if "done" in told else []
    findings = scene.care.check(scene.restored, level=4, progress=quiet, **WHO)
    return [f"restored copy: {f.code} {f.subject}" for f in findings if f.code != "CHECK-RESTORED"]


def _renew_master(scene: Scene, site: Site | None, tell: Tell) -> None:  # noqa: ARG001
    site.keys.renew_master_key()
    tell("done")


def _renew_data(scene: Scene, site: Site | None, tell: Tell) -> None:  # noqa: ARG001
    scene.sites.renew_data_keys(scene.root, progress=quiet, **WHO)
    tell("done")


def _renew_data_before(scene: Scene) -> None:
    _renew_data(scene, None, lambda _text: None)


def _renew_files(scene: Scene, site: Site | None, tell: Tell) -> None:  # noqa: ARG001
    for stored in site.keys.earlier_files():
        site.keys.renew_file(stored)
    tell("done")


def _password(scene: Scene, site: Site | None, tell: Tell) -> None:  # noqa: ARG001
    site.accounts.change_own_password(samples.PASSWORD, NEW_PASSWORD)
    tell("done")


def _is_new_password(scene: Scene) -> bool:
    try:
        scene.open(password=NEW_PASSWORD).close()
    except WrongKey:
        return False
    return True


def made_by_an_older_program(scene: Scene) -> None:
    """Replace the site by one whose tables are those of the first migration."""
    with pytest.MonkeyPatch.context() as patch:
        samples.as_first_version(patch)
        samples.make_site(scene.folder / "old")
        site = scene.open(scene.folder / "old")
        add_patient(site, Made.who, Made.course, Made.image, Made.structures)
        site.plans.save(Made.plan, base_revision=0, doses=[samples.dose()])
        site.close()
    scene.root.rename(scene.folder / "out" / "unused")
    (scene.folder / "old").rename(scene.root)


def _migrate(scene: Scene, site: Site | None, tell: Tell) -> None:  # noqa: ARG001
    scene.open().close()
    tell("done")


def age(folder: Path) -> None:
    """Make every file as old as files can be."""
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))


def _litter(scene: Scene) -> None:
    for number in range(2):
        stray = next((scene.root / "data").rglob("*.erte"))
        (stray.parent / f"00000000-0000-4000-8000-00000000000{number}.erte").write_bytes(b"left")
        (scene.root / "tmp" / f"{number}.part").write_bytes(b"left")
        (scene.root / "trash" / f"{number}.erte").write_bytes(b"left")
    age(scene.root)


def _sweep(scene: Scene, site: Site | None, tell: Tell) -> None:  # noqa: ARG001
    site.sweep()
    tell("done")


def _cache(scene: Scene, site: Site | None, tell: Tell) -> None:  # noqa: ARG001
    site.caches.put(samples.dose(NEXT_DOSE, seed=9))
    site.caches.clear()
    tell("done")


def _cached(scene: Scene) -> None:
    site = scene.open()
    site.caches.put(samples.dose())
    site.close()


def _cache_judge(scene: Scene, told: Told) -> list[str]:
    """A cache answers with the right dose or not at all."""
    site = scene.open()
    try:
        found = {digest: site.caches.get(digest) for digest in (DOSE, NEXT_DOSE)}
        right = {DOSE: samples.dose(), NEXT_DOSE: samples.dose(NEXT_DOSE, seed=9)}
    finally:
        site.close()
    return [f"the cache answers wrongly: {key}" for key, got in found.items() if got is not None and got != right[key]]


OPERATIONS = (
    Operation(name="save", act=_save, judge=_draft_judge),
    Operation(name="save-long", act=_save_long, judge=_draft_judge),
    Operation(name="import", act=_import),
    Operation(name="release", act=_release),
    Operation(name="approve", act=_approve, prepare=_to_approve, judge=_approval_judge),
    Operation(name="end-approval", act=_end_approval, prepare=_approved, judge=_approval_judge),
    Operation(name="machine", act=_machine),
    Operation(name="merge", act=_merge, prepare=_two_patients),
    Operation(name="backup", act=_backup, prepare=_one_backup, judge=_backup_judge),
    Operation(name="restore", act=_restore, prepare=_one_backup, opens_itself=True, judge=_restore_judge),
    Operation(name="renew-master", act=_renew_master, is_atomic=False),
    Operation(name="renew-data", act=_renew_data, opens_itself=True, is_atomic=False),
    Operation(name="renew-files", act=_renew_files, prepare=_renew_data_before, is_atomic=False),
    Operation(name="password", act=_password, is_atomic=False, is_done=_is_new_password),
    Operation(name="migrate", act=_migrate, prepare=made_by_an_older_program, opens_itself=True, has_before=False),
    Operation(name="sweep", act=_sweep, prepare=_litter),
    Operation(name="cache", act=_cache, prepare=_cached, judge=_cache_judge),
)
