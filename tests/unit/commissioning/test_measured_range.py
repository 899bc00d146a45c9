"""Depths are those of the reference depth dose; an incidence counts only where every engine passed its check."""

import attrs
import numpy as np
import pytest

from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.measured import CheckLine, Field, PhantomCheck
from ert.commissioning.measured_range import measured_range, verified_incidence_deg
from ert.domain.algorithm import Algorithm
from ert.domain.beam_model import MeasuredRange, measured_text
from ert.domain.commissioning import CheckComparison, CurveComparison
from ert.errors import Refused
from ert.settings import resources_dir

FIELD = Field(applicator_id="A10", cutout="open", width_cm=10.0, height_cm=10.0, ssd_cm=100.0)
X_CM = np.linspace(-3.0, 3.0, 13)
ENGINES = (Algorithm.PENCIL_BEAM, Algorithm.PBRA)


@pytest.fixture(scope="module")
def data():
    return read_beam_data(resources_dir() / "demo_machine" / "beam_data")


def check(incidence_deg, kind="oblique"):
    line = CheckLine(
        file="l.csv", along="x", start_cm=(-3.0, 0.0, 1.0), position_cm=X_CM, dose=np.ones(13), sigma=np.full(13, 0.01)
    )
    return PhantomCheck(
        name=f"{kind} {incidence_deg:g}", kind=kind, field=FIELD, incidence_deg=incidence_deg, blocks=(), lines=(line,)
    )


def compared(off_pct):
    """A flat line that is off by so much everywhere; refused where it is None."""
    if off_pct is None:
        return CheckComparison(name="c", kind="oblique", phantom="water", curves=(), refusal="SSD 130 cm.")
    flat = np.ones(13)
    curve = CurveComparison(
        name="c", file="l.csv", kind="check", axis="x", applicator_id="A10", cutout="open", ssd_cm=100.0,
        position_cm=X_CM, measured_cgy_per_mu=flat, sigma_cgy_per_mu=0.01 * flat,
        computed_cgy_per_mu=(1 + off_pct / 100) * flat, gamma_2_2_pct=100.0, gamma_3_3_pct=100.0,
    )  # fmt: skip
    return CheckComparison(name="c", kind="oblique", phantom="water", curves=(curve,))


def verified_deg(data, *tried):
    """Each tried: incidence, and how far each engine is off, per cent."""
    energy = attrs.evolve(data.energies[1], checks=tuple(check(angle) for angle, *_ in tried))
    results = {e: tuple(compared(offs[n]) for _, *offs in tried) for n, e in enumerate(ENGINES)}
    return verified_incidence_deg(energy, results)


@pytest.mark.parametrize(
    ("tried", "wanted_deg"),
    [
        ([], 0.0),
        ([(30.0, 4.9, -4.9)], 30.0),
        ([(-45.0, 1.0, 1.0), (20.0, 1.0, 1.0)], 45.0),
        ([(30.0, 1.0, 5.1)], 0.0),  # one engine fails row 8.3's 5 %
        ([(30.0, 1.0, None)], 0.0),
        ([(15.0, 1.0, 1.0), (30.0, 9.0, 1.0), (45.0, 1.0, 1.0)], 15.0),
        ([(30.0, 1.0, 1.0), (-30.0, 9.0, 1.0)], 0.0),
        ([(0.0, 13.0, 9.0), (30.0, 1.0, 1.0)], 30.0),  # an irregular surface at right angles
    ],
)
def test_incidence_is_verified_by_checks_that_passed(data, tried, wanted_deg):
    assert verified_deg(data, *tried) == wanted_deg


def test_an_inhomogeneity_at_an_angle_verifies_no_incidence(data):
    energy = attrs.evolve(data.energies[1], checks=(check(30.0, kind="heterogeneous"),))
    assert verified_incidence_deg(energy, {e: (compared(0.0),) for e in ENGINES}) == 0.0


def test_depths_are_those_measured_in_the_reference_field(data):
    """First and last line of depth_dose_10x10_open_ssd100.csv of each energy."""
    found = [
        measured_range(data, e, {a: tuple(compared(9.0) for _ in e.checks) for a in ENGINES}) for e in data.energies
    ]
    assert [(m.depth_min_cm, m.depth_max_cm, m.incidence_max_deg) for m in found] == [
        (0.1, 6.9, 0.0), (0.1, 9.9, 0.0), (0.1, 14.9, 0.0),
    ]  # fmt: skip


def test_a_range_is_said_in_words_and_nonsense_refused():
    assert measured_text(MeasuredRange(depth_min_cm=0.1, depth_max_cm=9.9, incidence_max_deg=30.0)) == (
        "measured in water from 0.1 to 9.9 cm deep, incidence verified to 30°"
    )
    assert measured_text(None) == "measured depths and incidence not stated"
    for wrong in ((1.0, 0.5, 0.0), (-0.1, 9.9, 0.0), (0.1, 9.9, 90.0), (0.1, float("inf"), 0.0)):
        with pytest.raises(Refused, match="makes no sense"):
            MeasuredRange(depth_min_cm=wrong[0], depth_max_cm=wrong[1], incidence_max_deg=wrong[2])
