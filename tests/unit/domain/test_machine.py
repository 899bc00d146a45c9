"""A machine's configuration: what makes no sense is refused with a sentence; what dose depends on is left alone."""

import attrs
import pytest

from ert.domain.identity import ADDED_LATER, digest_of
from ert.domain.machine import Applicator, Machine
from ert.domain.machine_configuration import (
    AngleRange,
    ApplicatorSetting,
    BlockMaterial,
    HeadCylinder,
    JawSetting,
    MachineConfiguration,
)
from ert.errors import Refused


def machine(**configuration):
    return Machine(
        name="M", sad_cm=100.0, insert_distance_cm=95.0, insert_thickness_cm=1.5, insert_material="cerrobend",
        applicators=(Applicator(id="A10", opening_x_cm=10.0, opening_y_cm=10.0),
                     Applicator(id="A6x10", opening_x_cm=6.0, opening_y_cm=10.0, jaw_x_cm=20.0, jaw_y_cm=24.0)),
        energies_mev=(6.0, 12.0), configuration=MachineConfiguration(**configuration),
    )  # fmt: skip


def jaw(applicator="A10", energy=None, x=10.0, y=11.0):
    return JawSetting(applicator_id=applicator, energy_mev=energy, x1_cm=-x, x2_cm=x, y1_cm=-y, y2_cm=y)


@pytest.mark.parametrize(
    ("limits", "inside", "outside"),
    [
        ((-180, 180), (0, 180, 180.1, 359.9, -720), ()),
        ((-95, 95), (0, 95, 265, -95, 270, 95 + 1e-9), (95.1, 180, 264.9)),
        ((181, 539 - 180), (181, 270, 359, 200 + 360), (0, 1, 180, 180.5)),
        ((90, 90), (90, 450), (89.9, 90.1, 270)),
    ],
)
def test_ranges_of_angles_go_through_zero(limits, inside, outside):
    allowed = AngleRange(from_deg=limits[0], to_deg=limits[1])
    assert all(allowed.holds(a) for a in inside)
    assert not any(allowed.holds(a) for a in outside)


@pytest.mark.parametrize("bad", [(10, -10), (-200, 200), (0, 400), (float("nan"), 3), (-400, 0)])
def test_ranges_that_are_none_are_refused(bad):
    with pytest.raises(Refused, match="no range of angles"):
        AngleRange(from_deg=bad[0], to_deg=bad[1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ApplicatorSetting(applicator_id="A10", width_cm=17.0), "all be left out"),
        (lambda: ApplicatorSetting(applicator_id="A", width_cm=0.0, height_cm=1.0, face_distance_cm=95.0), "positive"),
        (lambda: jaw(x=-10.0), "no jaw opening"),
        (lambda: jaw(y=26.0), "no jaw opening"),
        (lambda: BlockMaterial(name="lead", density_g_cm3=1135.0, thickness_cm=1.2), "no density"),
        (lambda: BlockMaterial(name=" ", density_g_cm3=11.0, thickness_cm=1.2), "needs a name"),
        (lambda: HeadCylinder(radius_cm=0.0, face_distance_cm=60.0), "collimator head"),
        (lambda: MachineConfiguration(min_mu=10.0, max_mu=5.0), "no range"),
        (lambda: MachineConfiguration(ssd_min_cm=-1.0), "makes no sense"),
        (lambda: MachineConfiguration(clearance_cm=-0.1), "clearance"),
        (lambda: MachineConfiguration(treatment_machine_name="a name of seventeen"), "longer than 16"),
        (lambda: MachineConfiguration(manufacturer="a\\b"), "backslash"),
        (lambda: MachineConfiguration(jaws=(jaw(), jaw())), "two entries of jaw setting"),
        (lambda: MachineConfiguration(block_materials=tuple(
            BlockMaterial(name=n, density_g_cm3=11.3, thickness_cm=1.0) for n in ("Lead", "lead"))), "block material"),
        (lambda: MachineConfiguration(has_symmetric_jaws=True, jaws=(
            JawSetting(applicator_id="A10", x1_cm=-9.0, x2_cm=10.0, y1_cm=-9.0, y2_cm=9.0),)), "symmetric"),
        (lambda: machine(jaws=(jaw("A99"),)), "A99"),
        (lambda: machine(jaws=(jaw(energy=9.0),)), "9 MeV"),
        (lambda: machine(applicators=(ApplicatorSetting(applicator_id="A10", energies_mev=(9.0,)),)), "9 MeV"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(Refused, match=message):
        make()


def test_jaws_of_the_energy_then_of_the_applicator_then_of_the_commissioned_opening():
    m = machine(jaws=(jaw(x=10.0), jaw(energy=12.0, x=8.0)))
    assert m.jaws_cm("A10", 6.0) == (-10.0, 10.0, -11.0, 11.0)
    assert m.jaws_cm("A10", 12.0) == (-8.0, 8.0, -11.0, 11.0)
    assert m.jaws_cm("A6x10", 12.0) == (-10.0, 10.0, -12.0, 12.0)
    assert machine().jaws_cm("A10", 6.0) is None


def test_outer_box_as_configured_or_assumed_around_the_opening():
    setting = ApplicatorSetting(applicator_id="A10", width_cm=17.0, height_cm=18.0, face_distance_cm=94.0)
    assert machine(applicators=(setting,)).outer_box_cm("A10") == (17.0, 18.0, 94.0)
    assert machine().outer_box_cm("A6x10") == pytest.approx((5.7 + 6.0, 9.5 + 6.0, 95.0))


def test_configuration_changes_the_machines_digest_but_not_what_dose_depends_on():
    plain, limited = machine(), machine(min_mu=5.0)
    assert plain.digest != limited.digest
    assert plain.dosimetric_digest == limited.dosimetric_digest
    assert plain.dosimetric_digest != attrs.evolve(plain, insert_distance_cm=94.0).dosimetric_digest


def test_a_field_added_later_leaves_digests_of_earlier_values_alone():
    before = attrs.make_class("V", {"a": attrs.field()}, frozen=True, kw_only=True)
    later = attrs.make_class(
        "V", {"a": attrs.field(), "b": attrs.field(default="", metadata=ADDED_LATER)}, frozen=True, kw_only=True
    )
    assert digest_of(later(a=1.5)) == digest_of(before(a=1.5))
    assert digest_of(later(a=1.5, b="x")) != digest_of(before(a=1.5))
