"""Two versions of a package: what changed is named, with its size; what did not change is said to be the same."""

import attrs
import numpy as np
import pytest

from ert.commissioning.difference import compare_packages
from ert.domain.beam_model import MeasuredRange
from tests.unit.dose.beams import demo


def changed(**fields):
    package = demo()
    models = tuple(attrs.evolve(m, **fields) if m.energy_mev == 12.0 else m for m in package.models)
    return attrs.evolve(package, models=models)


def of_12(found):
    return next(m for m in found.models if m.energy_mev == 12.0)


def test_a_package_is_the_same_as_itself():
    found = compare_packages(demo(), demo())
    assert all(m.is_same and m.parameters == () and m.remarks == () for m in found.models)
    assert all(f.largest_pct == 0 and f.r50_mm == 0 for m in found.models for f in m.fields)


def test_two_percent_more_electrons_are_two_percent_more_output_and_no_other_range():
    model = demo().model(12.0)
    found = of_12(compare_packages(demo(), changed(electron_gy_per_mu=1.02 * model.electron_gy_per_mu)))
    assert not found.is_same
    assert [f.name for f in found.fields] == [f"{a} open, SSD 100 cm" for a in ("A06", "A10", "A15", "A20")]
    for field in found.fields:
        assert field.output_pct == pytest.approx(2.0, abs=0.12)  # photons and edge electrons stay
        assert field.r50_mm == pytest.approx(0.0, abs=0.05)


def test_a_shift_of_the_depth_dose_by_two_millimetres_is_one_of_r50():
    model = demo().model(12.0)
    step = model.depth_step_cm
    moved = np.interp(
        np.arange(len(model.electron_gy_per_mu) + 8) * step - 0.2,
        np.arange(len(model.electron_gy_per_mu)) * step,
        model.electron_gy_per_mu,
    )
    found = of_12(compare_packages(demo(), changed(electron_gy_per_mu=moved)))
    assert all(f.r50_mm == pytest.approx(2.0, abs=0.2) for f in found.fields)


def test_parameters_are_compared_in_their_uncertainties_and_validity_in_words():
    model = demo().model(12.0)
    first = next(p for p in model.parameters if p.uncertainty > 0)
    other = attrs.evolve(first, value=first.value + 3 * np.sqrt(2) * first.uncertainty)
    rest = tuple(other if p is first else p for p in model.parameters)
    validity = attrs.evolve(model.validity, ssd_max_cm=105.0, applicator_ids=("A06", "A10"), min_side_cm=3.0)
    found = of_12(compare_packages(demo(), changed(parameters=rest, validity=validity)))
    (change,) = found.parameters
    assert (change.name, change.in_uncertainties) == (first.name, pytest.approx(3.0))
    assert found.remarks == (
        "SSD 97.5 to 115 cm became 97.5 to 105 cm.",
        "The smallest measured opening was 2.00 cm, is 3.00 cm.",
        "Applicator A15 is no longer commissioned.",
        "Applicator A20 is no longer commissioned.",
    )


def test_other_measured_depths_and_incidence_are_named():
    before, after = (
        attrs.evolve(
            demo().model(12.0).validity,
            measured=MeasuredRange(depth_min_cm=0.1, depth_max_cm=depth_cm, incidence_max_deg=angle_deg),
        )
        for depth_cm, angle_deg in ((9.9, 0.0), (12.0, 30.0))
    )
    assert of_12(compare_packages(changed(validity=before), changed(validity=after))).remarks == (
        "Before: measured in water from 0.1 to 9.9 cm deep, incidence verified to 0°; now: measured in water from 0.1 "
        "to 12 cm deep, incidence verified to 30°.",
    )


def test_energies_that_come_and_go_are_named():
    package = demo()
    plain = type(package.machine.configuration)()  # the demo's names all three energies
    machine = attrs.evolve(package.machine, energies_mev=(6.0, 20.0), configuration=plain)
    fewer = attrs.evolve(package, machine=machine, models=(package.models[0], package.models[2]))
    assert compare_packages(package, fewer).remarks == ("12 MeV is no longer there.",)
    assert compare_packages(fewer, package).remarks == ("12 MeV is new.",)
