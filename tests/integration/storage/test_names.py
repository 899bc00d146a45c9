"""Names from outside never become paths: each tried wherever a name comes in, nothing is written beside its place."""

from __future__ import annotations

import contextlib
import json
import posixpath
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest

from ert.commissioning.scans import folder as scans
from ert.domain.account import Grant
from ert.errors import ErtError, NotFound
from ert.storage import backup_format
from tests.integration.storage import samples

_UPWARDS = (
    "..", "../x", "../../x", "..\\x", "..\\..\\x", "a/../../x", "./../x", "....//x", "..;/x", "%2e%2e/x", "..%2fx",
    "..%5cx", "..\u2215x", "..\uff0fx", "\u2024\u2024/x", ".. /x", "../", "a/..", "a/./../../x", "/../x",
)  # fmt: skip
_ABSOLUTE = (
    "/x", "//x", "/etc/passwd", "\\x", "\\\\server\\share\\x", "C:\\x", "C:x", "c:/x", "file:///x", "~/x", "~root",
    "/proc/self/environ", "\\\\?\\C:\\x", "\\\\.\\COM1", "/dev/stdout",
)  # fmt: skip
_RESERVED = (
    "CON", "con.txt", "PRN", "AUX", "NUL", "COM1", "LPT9", "x.", "x ", " x", ".", "", "-rf", "--help", "x:y", "x|y",
    "x<y>", "x?*", "x\0y", "x\ny", "x\r\ny", "\u202egpj.x", "$HOME", "${HOME}", "`id`", "$(id)", "{0}", "%s%n",
)  # fmt: skip
_LONG = ("x" * 255, "x" * 300, "x" * 5000, "é" * 200, "../" * 100 + "x", "😀" * 90, "a" * 254 + "/..")
NAMES = (*_UPWARDS, *_ABSOLUTE, *_RESERVED, *_LONG)
WAYS = 7  # find, load, structure set, presence, backup, manifest, scanner file; and some of them in three more


@pytest.fixture
def inside(tmp_path):
    """A folder to work in, deep enough that the way out leads to what `outside` sees."""
    place = tmp_path / "outer" / "middle" / "inside"
    place.mkdir(parents=True)
    return place


def outside(tmp_path, *allowed: Path):
    """Everything that lies elsewhere."""
    return sorted(
        p for p in tmp_path.rglob("*") if not any(p == a or a in p.parents or p in a.parents for a in allowed)
    )


def tried(action) -> None:
    """Do it; the program may refuse, nothing else may happen."""
    with contextlib.suppress(ErtError):
        action()


def test_there_are_five_hundred_of_them():
    assert len(set(NAMES)) == len(NAMES)
    assert len(NAMES) * WAYS + 2 * len(NAMES[::3]) + len(NAMES[::6]) >= 500


def test_a_site_keeps_every_name_and_makes_no_path_of_it(inside, tmp_path):
    site = samples.open_site(samples.copied_site(inside / "site"))
    who, ct, contours = samples.patient(), samples.image(), samples.structures()
    course = samples.course_of(who, ct, contours)
    site.patients.add_import(patient=who, course=course, image=ct, structures=contours, ct_files=samples.ct_files(ct))
    plan = samples.plan_of(course)
    for name in NAMES:
        tried(lambda name=name: site.patients.find(name, name))  # record number and its issuer
        tried(lambda name=name: site.plans.load(name))
        tried(lambda name=name: site.patients.structure_set(name))
        tried(lambda name=name: site.people.enter(name))
    for number, name in enumerate(NAMES[::3]):  # each a commit
        tried(lambda name=name, number=number: site.machines.add(name=name, digest=f"{number:064x}", content=b"x"))
        tried(lambda name=name: site.plans.save(attrs.evolve(plan, id=plan.id + name, name=name), base_revision=0))
    for name in NAMES[::6]:  # a password costs its time
        tried(lambda name=name: site.accounts.add(name, password="Polonium-84!", grant=Grant()))
    site.close()
    assert outside(tmp_path, inside / "site") == []
    known = {"data", "keys", "tmp", "trash", "sessions", "attempts"}
    places = {p.relative_to(inside / "site").parts[0] for p in (inside / "site").rglob("*") if p.is_dir()}
    assert places <= known


def test_a_backup_is_found_by_its_id_only(inside, tmp_path):
    site = samples.open_site(samples.copied_site(inside / "site"))
    site.start_backup(inside / "backups").finish()
    site.close()
    (tmp_path / "outer" / "x").mkdir()
    (tmp_path / "outer" / "x" / backup_format.MANIFEST).write_text(json.dumps({}))
    for name in NAMES:
        with pytest.raises(NotFound):
            backup_format.read_manifest(inside / "backups", name)


def test_a_manifest_names_nothing_outside_its_folder():
    for name in (*_UPWARDS, *_ABSOLUTE, *_RESERVED, *_LONG):
        place = posixpath.normpath(f"/folder/{name}" if not name.startswith("/") else name)
        if place.startswith("/folder/") and ".." not in name.split("/") and not set(name) & set("\\:\0"):
            continue  # a name like any other, on any system
        with pytest.raises(ValueError, match="impossible part"):
            backup_format._part({"path": name, "size": 1, "sha256": "a" * 64})


def test_scanner_files_are_named_by_letters_of_the_applicator_only():
    for name in NAMES:
        field = SimpleNamespace(applicator_id=name, cutout="open", ssd_cm=100.0)
        curve = SimpleNamespace(is_in_air=False, is_depth_dose=True, depth_cm=1.0)
        path = Path(scans._file_name(SimpleNamespace(field=field, curve=curve, energy_mev=6.0)))
        assert not path.is_absolute()
        assert len(path.parts) == 2
        assert ".." not in path.parts


def test_the_look_around_sees_what_a_careless_writer_does(inside, tmp_path):
    escaped = 0
    for name in NAMES:
        for form in (name, f"{name}.json"):
            try:
                place = inside / form
                if tmp_path in place.resolve().parents:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_text("x")
                else:
                    escaped += 1
            except (OSError, ValueError):
                continue
    assert escaped >= 10
    assert len(outside(tmp_path, inside)) >= 2
