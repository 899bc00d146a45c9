"""Names and UIDs of DICOM objects never become paths: neither of files that are written nor of those that are read."""

from __future__ import annotations

import contextlib
import re

import attrs
import pytest

from ert.dicom.export import export_course_plan
from ert.dicom.importing import default_selection, read_selection
from ert.dicom.scan import scan
from ert.domain.record import DicomFile
from ert.errors import ErtError
from tests import path_names
from tests.unit.dicom.conftest import CtWriter

OURS = re.compile(r"(CT_\d{4}|rtstruct|rtplan|rtdose_plan|rtdose_beam_\d+)\.dcm")
SOME = path_names.ALL[::10]  # a whole export each


@pytest.fixture
def inside(tmp_path):
    place = tmp_path / "outer" / "inside"
    place.mkdir(parents=True)
    return place


def outside(tmp_path, inside):
    return sorted(p for p in tmp_path.rglob("*") if p != inside and inside not in p.parents and p not in inside.parents)


def hostile(source, name):
    """The same plan with one name wherever a name or a UID stands."""
    plan, image, structures = source.plan, source.image, source.structures
    beams = tuple(attrs.evolve(beam, name=f"{name}{beam.number}") for beam in plan.beams)
    uids = tuple(f"{name}{number}" for number in range(len(source.ct_files)))
    files = tuple(
        DicomFile(sop_instance_uid=uid, content=file.content) for uid, file in zip(uids, source.ct_files, strict=True)
    )
    return attrs.evolve(
        source,
        patient=attrs.evolve(source.patient, family_name=name or "x", medical_record_number=name, issuer=name),
        plan=attrs.evolve(plan, name=name, description=name, beams=beams),
        image=attrs.evolve(image, sop_instance_uids=uids, series_instance_uid=name, study_instance_uid=name),
        structures=attrs.evolve(
            structures, label=name, structures=tuple(attrs.evolve(s, name=name) for s in structures.structures)
        ),
        ct_files=files,
    )


def test_an_export_names_its_files_by_number_whatever_stands_in_it(inside, tmp_path, export_source):
    source, written = export_source(), 0
    whole, source = source, attrs.evolve(source, ct_files=())
    for number, name in enumerate(SOME):
        folder = inside / str(number)
        with contextlib.suppress(ErtError, UserWarning):  # pydicom's, of what is no UID
            export_course_plan(folder, hostile(whole, name))
        with contextlib.suppress(ErtError):  # the names alone
            named = hostile(source, name)
            export_course_plan(
                folder,
                attrs.evolve(
                    source,
                    patient=named.patient,
                    plan=named.plan,
                    structures=named.structures,
                ),
            )
        written += folder.is_dir() and any(folder.iterdir())
    assert outside(tmp_path, inside) == []
    assert {p.name for p in inside.rglob("*") if p.is_file() and not OURS.fullmatch(p.name)} == set()
    assert written > len(SOME) // 2


def test_what_is_read_writes_nothing_whatever_stands_in_it(inside, tmp_path):
    before, taken = sorted(tmp_path.rglob("*")), 0
    for name in SOME:
        folder = inside / "ct"
        folder.mkdir()
        writer = CtWriter(folder)
        for k in range(writer.size[2]):
            slice_ = writer.dataset(k)
            slice_.SpecificCharacterSet = "ISO_IR 192"
            slice_.PatientName, slice_.PatientID, slice_.SeriesDescription = name[:60], name[:60], name[:60]
            slice_.StationName = name[:16]
            slice_.save_as(folder / f"{k}.dcm", enforce_file_format=True)
        with contextlib.suppress(ErtError):
            found = scan([folder])
            taken += read_selection(found, default_selection(found)) is not None
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    assert sorted(tmp_path.rglob("*")) == before
    assert taken > len(SOME) // 2
