"""CT curves and materials of a site in revisions: kept exactly, never overwritten, refused when changed outside."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest
import sqlalchemy as sa

from ert.domain.ct_curve import SiteCtCurve
from ert.domain.image import CtCurve, CtCurvePoint, Material
from ert.domain.library import LibraryState, SiteMaterial
from ert.errors import BadTag, ErtError, Refused, StaleRevision
from ert.storage import schema
from ert.storage.assembly import DATABASE
from ert.storage.database import Database
from ert.storage.opening import Access
from ert.storage.unlock import unlock_with_password
from tests.integration.storage import samples

ROWS = ((-1000, 0.0012, 0.0011, 0.0011), (0, 1.0, 1.0, 1 / 3 + 2 / 3), (3071, 2.83, 2.3, 0.1 + 4.2))


def curve(name: str = "Scanner A", **changes) -> SiteCtCurve:
    points = tuple(
        CtCurvePoint(hu=h, density_g_cm3=d, relative_stopping=s, relative_scattering=t) for h, d, s, t in ROWS
    )
    made = SiteCtCurve(
        curve=CtCurve(name=name, points=points), scanner="Zzyzx CT 900", kvp=120,
        measured_on=dt.date(2026, 2, 3), author="A. Physicist", note="phantom ä",
    )  # fmt: skip
    return attrs.evolve(made, **changes)


@pytest.fixture
def root(tmp_path):
    return samples.copied_site(tmp_path / "site")


@pytest.fixture
def site(root):
    opened = samples.open_site(root)
    yield opened
    opened.close()


def test_revisions_come_back_exactly_newest_first(site, root):
    first = curve()
    saved = site.ct_curves.save(first, base_revision=0)
    second = attrs.evolve(first, note="again", kvp=140)
    site.ct_curves.save(second, base_revision=1)
    other = curve("Scanner B")
    site.ct_curves.save(other, base_revision=0)
    site.ct_curves.save(second, base_revision=2, state=LibraryState.WITHDRAWN, reason="replaced")
    assert (saved.value, saved.revision, saved.saved_by) == (first, 1, samples.LOGIN)
    site.close()
    again = samples.open_site(root)
    a, b = again.ct_curves.history()
    assert [(e.value, e.revision, e.state.value) for e in a] == [
        (second, 3, "WITHDRAWN"), (second, 2, "IN_USE"), (first, 1, "IN_USE"),
    ]  # fmt: skip
    assert [e.value for e in b] == [other]
    assert again.check() == ()
    again.close()


def test_the_same_name_twice_and_a_late_save_are_refused(site):
    first = curve()
    site.ct_curves.save(first, base_revision=0)
    with pytest.raises(Refused, match="named 'SCANNER a' already"):
        site.ct_curves.save(curve("SCANNER a"), base_revision=0)
    with pytest.raises(StaleRevision):
        site.ct_curves.save(first, base_revision=0)
    with pytest.raises(Refused, match="keeps its name"):
        site.ct_curves.save(attrs.evolve(curve("New name"), id=first.id), base_revision=1)
    assert [len(h) for h in site.ct_curves.history()] == [1]
    assert site.check() == ()


def test_materials_are_kept_the_same_way(site):
    mine = SiteMaterial(
        material=Material(name="PLA 20 %", density_g_cm3=0.31, relative_stopping=0.296, relative_scattering=0.285),
        note="gyroid",
    )
    site.materials.save(mine, base_revision=0)
    ((entry,),) = site.materials.history()
    assert entry.value == mine
    assert site.check() == ()


def test_nothing_of_it_can_be_read_in_the_database_without_the_field_key(site):
    site.ct_curves.save(curve(), base_revision=0)
    with site.records.database.read() as connection:
        for table in (schema.ct_curve, schema.ct_curve_revision):
            (row,) = connection.execute(sa.select(table)).all()
            assert b"Zzyzx" not in repr(tuple(row)).encode()
            assert b"Scanner" not in repr(tuple(row)).encode()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ct_curve", "DELETE FROM ct_curve_revision", "UPDATE ct_curve_revision SET state = 'WITHDRAWN'",
        "DELETE FROM material", "DELETE FROM material_revision",
        "UPDATE material_revision SET digest = 'x'",
    ],
)  # fmt: skip
def test_the_database_forbids_changing_revisions(site, statement):
    site.ct_curves.save(curve(), base_revision=0)
    material = Material(name="x", density_g_cm3=1.0, relative_stopping=1.0, relative_scattering=1.0)
    site.materials.save(SiteMaterial(material=material), base_revision=0)
    with pytest.raises((ErtError, sa.exc.DBAPIError)), site.records.database.write() as connection:
        connection.exec_driver_sql(statement)
    assert len(site.ct_curves.history()) == len(site.materials.history()) == 1


def test_a_head_set_to_withdrawn_from_outside_is_refused(site):
    site.ct_curves.save(curve(), base_revision=0)
    with site.records.database.write() as connection:
        connection.exec_driver_sql("UPDATE ct_curve SET state = 'WITHDRAWN'")
    with pytest.raises(BadTag):
        site.ct_curves.history()
    assert [f.code for f in site.check()] == ["CHECK-ROW"]


@pytest.mark.folder_only
def test_a_lost_revision_is_noticed(site):
    saved = curve()
    site.ct_curves.save(saved, base_revision=0)
    site.ct_curves.save(attrs.evolve(saved, note="2"), base_revision=1)
    root = site.path
    site.close()
    unlocked = unlock_with_password(root, login=samples.LOGIN, password=samples.PASSWORD)
    key = unlocked.vault.database_key_literal
    access = Access(path=root / DATABASE, key_literal=key, store_id=unlocked.store.store_id)
    database = Database(access, may_migrate=True)
    with database.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER ct_curve_revision_no_delete")
        connection.exec_driver_sql("DELETE FROM ct_curve_revision WHERE rev = 1")
    database.close()
    again = samples.open_site(root)
    with pytest.raises(BadTag, match="incomplete"):
        again.ct_curves.history()
    assert "CHECK-REVISIONS" in {f.code for f in again.check()}
    again.close()
