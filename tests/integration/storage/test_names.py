"""Names from outside never become paths: each tried wherever a name comes in, nothing is written beside its place."""

from __future__ import annotations

import contextlib
import json
import posixpath
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import SimpleNamespace

import attrs
import pytest

from ert.commissioning import beam_data, check_files
from ert.commissioning.scans import folder as scans
from ert.domain.account import Grant
from ert.errors import BadTag, ErtError, NotFound
from ert.storage import backup_format
from ert.storage.assembly import utc_now
from ert.storage.attempts import Attempts
from ert.storage.cache_entry import EntrySealer
from ert.storage.cache_folder import CacheFolder
from ert.storage.cache_shelf import Shelf
from ert.storage.keys import Vault
from ert.storage.run_shelf import RunShelf
from ert.storage.slots import login_tag
from ert.storage.unlock import SLOTS, read_slots
from ert.ui.file_names import file_name
from tests import path_names
from tests.integration.storage import samples
from tests.path_names import ALL as NAMES

SOME = path_names.ALL[::6]  # where each takes a commit, or a password's time


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
    assert len(set(NAMES)) == len(NAMES) >= 500
    assert {name[:3] for name in NAMES} >= {"../", "..\\", "/x", "C:x", "CON", "NUL", "\u202egp"}


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
    for number, name in enumerate(SOME):
        tried(lambda name=name, number=number: site.machines.add(name=name, digest=f"{number:064x}", content=b"x"))
        tried(lambda name=name: site.plans.save(attrs.evolve(plan, id=plan.id + name, name=name), base_revision=0))
    for name in SOME[::4]:
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
    for name in NAMES:
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


def test_a_key_slot_is_written_at_its_own_name_only(inside, tmp_path):
    root = samples.copied_site(inside / "site")
    site = samples.open_site(root)
    whole = next(p for p in (root / SLOTS).glob("*.json") if b'"recovery"' in p.read_bytes())
    document, strange = json.loads(whole.read_bytes()), root / SLOTS / "strange.json"
    before = {p: p.read_bytes() for p in (root / "keys").rglob("*") if p.is_file()}
    for name in NAMES:
        strange.write_text(json.dumps({**document, "slot_id": name}), encoding="utf-8")
        with pytest.raises(BadTag, match="in the place of another"):
            read_slots(root, site.site_id)
    for name in SOME[::4]:
        strange.write_text(json.dumps({**document, "slot_id": name}), encoding="utf-8")
        tried(site.keys.renew_master_key)
        tried(lambda name=name: site.workstations.remove(name))
        tried(lambda name=name: site.accounts.disable(name))
        tried(lambda: site.emergency.prepare()._put_into_use(b"x" * 20))
    strange.unlink()
    assert {p: p.read_bytes() for p in (root / "keys").rglob("*") if p.is_file()} == before
    site.close()
    assert outside(tmp_path, inside / "site") == []


def test_caches_runs_attempts_and_anchors_make_no_path_of_what_they_are_asked_for(inside, tmp_path):
    vault = Vault.create("5c0d5d3e-4b11-4a51-9b6a-4a1d1a2a7f10")
    shelf = Shelf(CacheFolder(inside / vault.store_id), EntrySealer(vault), limit_bytes=10**6)
    runs, attempts = RunShelf(inside / "runs", vault), Attempts(inside / "site", inside / "profile", utc_now)
    (inside / "site").mkdir()
    result = samples.dose()
    for name in NAMES:
        shelf.get(name)
        tried(lambda name=name: shelf.put(attrs.evolve(result, request_digest=name)))
        runs.put(name, b"x")
        runs.get(name)
        tried(lambda name=name: attempts.begin(vault.store_id, login_tag(vault.store_id, name), ""))
    assert outside(tmp_path, inside) == []
    assert {p.name for p in inside.iterdir()} <= {vault.store_id, "runs", "site", "profile"}
    assert len(list((inside / "site" / "keys" / "attempts").iterdir())) > 400
    assert all(re.fullmatch(r"[0-9a-f]{64}\.ertc", p.name) for p in (inside / vault.store_id).iterdir())


def test_a_name_that_is_offered_for_a_file_is_one_anywhere():
    for text in NAMES:
        name = file_name(text, ".pdf")
        for kind in (PurePosixPath, PureWindowsPath):
            path = kind(name)
            assert (path.name, len(path.parts), path.is_absolute(), path.suffix) == (name, 1, False, ".pdf"), text
        assert not PureWindowsPath(name).is_reserved(), text
        assert name.isprintable()
        assert len(name.encode()) <= 120
        assert not name.startswith((".", " ", "-", "~"))
        assert not set(name) & set('<>:"/\\|?*%$`')
    assert file_name("Chest wall L, boost 2 (r3) – Ä", ".pdf") == "Chest wall L, boost 2 (r3) – Ä.pdf"


class Read(Exception):
    """A file would have been read."""


def test_measured_data_name_no_file_outside_their_folder(inside, tmp_path, monkeypatch):
    found = reads_of_measured_data(inside, tmp_path, monkeypatch)
    assert [path for path in found if not path.resolve().is_relative_to(inside)] == []
    assert len(found) == 6  # what lies in it, by each reader


def test_measured_data_whose_guard_is_taken_away_are_read_from_elsewhere(inside, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "is_relative_to", lambda *_: True)
    found = reads_of_measured_data(inside, tmp_path, monkeypatch)
    monkeypatch.undo()
    assert len([path for path in found if not path.resolve().is_relative_to(inside)]) >= 10


def reads_of_measured_data(inside, tmp_path, monkeypatch):
    """The files that would be read for each name, with something to be read wherever a name may lead."""
    for folder in (inside, *(p for p in inside.parents if p == tmp_path or tmp_path in p.parents)):
        for name in ("x", "x.csv", "x.json", "site.db", "CT_0001.dcm"):
            (folder / name).write_text("x")
    found = []

    def read(path, _name):
        found.append(path)
        raise Read

    for module in (beam_data, check_files):
        monkeypatch.setattr(module, "Csv", read)
    machine = SimpleNamespace()
    (inside / "a").mkdir()
    for name in (*filter(None, NAMES), "x", "./x", "a/../x.csv"):  # none at all the format itself refuses
        listed = {"file": [{"path": name, "kind": "depth_dose", "energy_mev": 6.0}]}
        checked = {"check": [{"name": "c", "kind": "oblique", "energy_mev": 6.0, "lines": [name]}]}
        with contextlib.suppress(Read, ErtError):
            beam_data._read_energy(inside, listed, 6.0, machine)
        with contextlib.suppress(Read, ErtError):
            check_files.read_checks(inside, checked, 6.0, machine, "beam_data.toml")
    return found
