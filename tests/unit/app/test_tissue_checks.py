"""What is said of CT curve, materials and metal before a dose is computed; how a plan's curve stands to the site's."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from ert.app.tissue_checks import tissue_findings
from ert.app.tissue_library import Standing, TissueLibrary, directly
from ert.domain.ct_curve import SiteCtCurve
from ert.domain.image import CtCurve, Material
from ert.domain.library import LibraryEntry, LibraryState, SiteMaterial
from ert.domain.materials import default_ct_curve, material_library, material_named
from ert.domain.overrides import with_override
from ert.domain.plan import Plan, Prescription
from ert.domain.structure import Structure, StructureRole
from ert.domain.tissue import MetalFound, OverrideOverlap, OverrideVolume, TissueReview
from ert.errors import NotFound, Refused
from tests.people import CHIEF
from tests.shapes import box, structure_set

AT = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
MINE = Material(name="PLA 20 %", density_g_cm3=0.31, relative_stopping=0.296, relative_scattering=0.285)


class Shelf:
    """A store of one kind of entries, in memory."""

    def __init__(self):
        self.kept = {}

    def history(self):
        return tuple(tuple(reversed(entries)) for entries in self.kept.values())

    def save(self, value, *, base_revision, state=LibraryState.IN_USE, reason=""):
        entry = LibraryEntry(value=value, revision=base_revision + 1, state=state, saved_by="anna", saved_at=AT)
        self.kept.setdefault(value.id, []).append(entry)
        return entry


class Store:
    account = CHIEF

    def __init__(self):
        self.ct_curves, self.materials = Shelf(), Shelf()


def site_curve(name="Room 2", factor=1.0) -> SiteCtCurve:
    points = tuple(
        attrs.evolve(p, density_g_cm3=p.density_g_cm3 * factor) if p.hu > 1000 else p for p in default_ct_curve().points
    )
    return SiteCtCurve(
        curve=CtCurve(name=name, points=points), scanner="CT", kvp=120, measured_on=dt.date(2026, 1, 5), author="A"
    )


@pytest.fixture
def library():
    return TissueLibrary(Store(), directly)


STRUCTURES = structure_set(
    box((-3, 3), (-3, 3), [0, 1], number=1, name="BODY"),
    attrs.evolve(box((-1, 1), (-3, -2), [0, 1], number=2, name="Bolus"), role=StructureRole.BOLUS),
    attrs.evolve(box((-3, 3), (3, 4), [0, 1], number=3, name="Couch"), role=StructureRole.SUPPORT),
    box((-1, 1), (-1, 1), [0, 1], number=4, name="Hip"),
    Structure(number=5, name="Void", role=StructureRole.ORGAN),
)


@pytest.fixture
def plan():
    return Plan(
        course_id="c", name="p", image_id="i", structure_set_id="s", external_number=1, ct_curve=default_ct_curve(),
        prescription=Prescription(target_number=4, dose_gy=50, fractions=25),
    )  # fmt: skip


def said(plan, library, review=None, **kwargs):
    found = tissue_findings(plan, structures=STRUCTURES, library=library, review=review, **kwargs)
    return {f.code: f for f in found}


# ---- curve -------------------------------------------------------------------------------------------------------


def test_the_default_curve_is_a_warning(plan, library):
    assert said(plan, library)["ct-curve"].severity == "warning"


def test_a_plan_keeps_its_version_and_is_told_of_a_newer_one(plan, library):
    first = site_curve()
    library.save_curve(first, base_revision=0)
    plan = attrs.evolve(plan, ct_curve=library.starting_curve())
    assert plan.ct_curve == first.curve
    assert not {c for c in said(plan, library) if c.startswith("ct-curve")}
    second = attrs.evolve(site_curve(factor=1.02), id=first.id)
    library.save_curve(second, base_revision=1)
    sentence = said(plan, library)["ct-curve-newer"].sentence
    assert "version 1" in sentence
    assert "version 2" in sentence
    assert plan.ct_curve == first.curve
    library.withdraw_curve(first.id, "tube replaced")
    assert "withdrawn by anna on 2026-03-01" in said(plan, library)["ct-curve-withdrawn"].sentence
    assert library.starting_curve() == default_ct_curve()


def test_a_note_alone_does_not_make_a_plan_old(plan, library):
    first = site_curve()
    library.save_curve(first, base_revision=0)
    library.save_curve(attrs.evolve(first, note="re-measured, same values"), base_revision=1)
    found = library.standing_of(first.curve)
    assert (found.standing, found.used.revision) == (Standing.CURRENT, 2)


def test_a_curve_of_elsewhere_is_unknown(plan, library):
    library.save_curve(site_curve(), base_revision=0)
    foreign = attrs.evolve(plan, ct_curve=site_curve("Elsewhere", 1.01).curve)
    assert "none of this site's" in said(foreign, library)["ct-curve-unknown"].sentence


def test_two_curves_leave_the_choice_to_the_planner(library):
    library.save_curve(site_curve("A"), base_revision=0)
    library.save_curve(site_curve("B", 1.01), base_revision=0)
    assert library.starting_curve() == default_ct_curve()


def test_implausible_curves_and_shipped_names_do_not_reach_the_store(library):
    bad = site_curve()
    bad = attrs.evolve(bad, curve=CtCurve(name="bad", points=bad.curve.points[3:]))
    with pytest.raises(Refused, match="must begin at -1000 HU"):
        library.save_curve(bad, base_revision=0)
    with pytest.raises(Refused, match="comes with"):
        library.save_curve(site_curve(default_ct_curve().name), base_revision=0)
    saved = library.save_curve(site_curve(), base_revision=0)
    with pytest.raises(Refused, match="only with a reason"):
        library.withdraw_curve(saved.value.id, " ")
    with pytest.raises(NotFound):
        library.curve_named("nothing")
    assert [e.state for e in library.curves] == [LibraryState.IN_USE]


# ---- materials ---------------------------------------------------------------------------------------------------


def test_bolus_and_couch_without_material_are_warned_of(plan, library):
    found = said(plan, library)
    assert (found["bolus-material"].severity, found["bolus-material"].subject) == ("warning", "Bolus")
    assert (found["support-material"].severity, found["support-material"].subject) == ("warning", "Couch")
    plan = with_override(with_override(plan, 2, material_named("wax")), 3, material_named("PMMA"))
    found = said(plan, library)
    assert not {"bolus-material", "support-material"} & set(found)
    assert "override" in found


def test_an_override_of_nothing_stops_the_plan(plan, library):
    found = said(with_override(plan, 5, material_named("water")), library)
    assert found["override-empty"].severity == "blocker"


def test_a_site_material_that_changed_or_went_is_told(plan, library):
    saved = library.save_material(SiteMaterial(material=MINE), base_revision=0).value
    plan = with_override(plan, 2, MINE)
    assert not {c for c in said(plan, library) if c.startswith("override-material")}
    assert library.material_choices() == (*material_library().values(), MINE)
    newer = attrs.evolve(saved, material=attrs.evolve(MINE, density_g_cm3=0.33))
    library.save_material(newer, base_revision=1)
    assert "newer version" in said(plan, library)["override-material-older"].sentence
    library.withdraw_material(saved.id, "batch used up")
    assert "withdrawn" in said(plan, library)["override-material-withdrawn"].sentence
    assert MINE not in library.material_choices()
    unknown = with_override(plan, 2, attrs.evolve(MINE, name="from elsewhere"))
    assert "override-material-unknown" in said(unknown, library)


def test_a_site_material_cannot_take_a_shipped_name(library):
    with pytest.raises(Refused, match="comes with a material"):
        library.save_material(SiteMaterial(material=attrs.evolve(MINE, name="Machinable wax")), base_revision=0)


# ---- what the overrides come to ----------------------------------------------------------------------------------


def test_overlap_outside_hidden_and_metal_are_told_with_their_volumes(plan, library):
    plan = with_override(with_override(plan, 2, material_named("wax")), 4, material_named("titanium"))
    review = TissueReview(
        volumes=(
            OverrideVolume(structure_number=2, volume_cc=8.0, outside_cc=7.5, effective_cc=0.0),
            OverrideVolume(structure_number=4, volume_cc=3.0, outside_cc=0.0, effective_cc=3.0),
        ),
        overlaps=(OverrideOverlap(loser_number=2, winner_number=4, volume_cc=1.234, point_cm=(0, 0, 0)),),
        metal=MetalFound(volume_cc=0.4, point_cm=(0, 0, 0)),
    )
    found = said(plan, library, review)
    assert found["override-outside"].severity == "note"
    assert "7.50 of 8.00 cm³ of 'Bolus'" in found["override-outside"].sentence
    assert found["override-hidden"].severity == "warning"
    assert found["override-overlap"].severity == "warning"
    assert "1.23 cm³, which is taken to be titanium: 'Hip' is later" in found["override-overlap"].sentence
    assert found["metal"].severity == "warning"
    assert "0.40 cm³" in found["metal"].sentence
    same = with_override(plan, 4, material_named("wax"))
    assert said(same, library, review)["override-overlap"].severity == "note"


def test_a_review_of_structures_no_longer_overridden_says_nothing(plan, library):
    review = TissueReview(
        volumes=(OverrideVolume(structure_number=2, volume_cc=8.0, outside_cc=7.5, effective_cc=0.0),),
        overlaps=(OverrideOverlap(loser_number=2, winner_number=4, volume_cc=1.2, point_cm=(0, 0, 0)),),
    )
    assert not {c for c in said(plan, library, review) if c.startswith("override")}
    assert "is not planar" in said(plan, library, failure="'Hip' is not planar.")["override-review"].sentence
