"""Monitor units of a plan's beams beside TG-71, verdicts, refusals and findings."""

import attrs
import numpy as np
import pytest

from ert.app.dose_service import Models
from ert.app.dose_state import BeamDose, DoseState, DoseStatus
from ert.app.mu_check import MuChecker, mu_findings
from ert.commissioning.package import read_package
from ert.domain.beam import Beam
from ert.domain.beam_model import MachinePackage
from ert.domain.device import Aperture, ApertureSource
from ert.domain.identity import canonical_bytes
from ert.domain.image import CtCurve, CtCurvePoint
from ert.domain.monitor_units import ActionLevels, FactorSource, Verdict
from ert.domain.plan import Normalisation, Plan, Prescription
from ert.domain.record import Severity
from ert.dose.output import rectangle_cm
from ert.errors import Refused
from ert.settings import resources_dir


@pytest.fixture(scope="module")
def package():
    return read_package(resources_dir() / "demo_machine" / "package")


def plan(package, *, outline=None, applicator="A10", weight=1.0, mu=None, **prescription):
    beam = Beam(
        number=1, name="AP", machine_name=package.machine.name, energy_mev=12.0, applicator_id=applicator,
        model_digest=package.model(12.0).digest, isocentre_cm=(0.0, 0.0, 0.0), gantry_deg=0.0, weight=weight, mu=mu,
        aperture=Aperture(outline_cm=outline or rectangle_cm(4.0, 4.0), source=ApertureSource.EDITED),
    )  # fmt: skip
    water = CtCurvePoint(hu=0, density_g_cm3=1.0, relative_stopping=1.0, relative_scattering=1.0)
    return Plan(
        course_id="c", name="P", image_id="i", structure_set_id="s", external_number=1, beams=(beam,),
        ct_curve=CtCurve(name="w", points=(water, attrs.evolve(water, hu=100))),
        prescription=Prescription(target_number=1, **{"dose_gy": 50.0, "fractions": 25, **prescription}),
    )  # fmt: skip


def dose(mu, *, given_gy=None, ssd_cm=100.0):
    beam = BeamDose(
        beam_number=1, gy=np.zeros((1, 1, 1), dtype=np.float32), mu=mu, ssd_cm=ssd_cm, given_dose_gy=given_gy,
        warnings=(), engine="pencil-beam 8",
    )  # fmt: skip
    return DoseState(status=DoseStatus.CURRENT, beams=(beam,))


def check(package, planned, state):
    return MuChecker(Models([package]), patient_position="HFS").checks(planned, state)[0]


def codes(found):
    return {f.code: f for f in mu_findings([found])}


def test_to_an_isodose_the_dose_follows_from_the_prescription_alone(package):
    # 200 cGy / 0.90 = 222.222 cGy; measured output of the 4 × 4: 0.96382 → 230.564 MU
    found = check(package, plan(package), dose(231.0, given_gy=1.0))
    assert found.worksheet.tg71_mu == pytest.approx(222.2222 / 0.96382, abs=1e-3)
    assert found.difference_pct == pytest.approx(0.189, abs=0.001)
    assert found.verdict is Verdict.AGREES
    assert "from the prescription" in found.dose_basis
    assert codes(found) == {}


def test_otherwise_the_engines_given_dose_is_checked(package):
    # 25 fractions, 60 Gy given in all: 240 cGy a fraction / 0.96382 = 249.01 MU
    planned = plan(package, normalisation=Normalisation.D95)
    found = check(package, planned, dose(250.0, given_gy=60.0))
    assert found.worksheet.tg71_mu == pytest.approx(240.0 / 0.96382, abs=1e-3)
    assert "engine's given dose" in found.dose_basis
    # an engine that states none: the pencil beam's, 230 MU × its output in water, which lies within 1.5 % of 0.96382
    silent = check(package, planned, dose(230.0))
    assert silent.difference_pct == pytest.approx(0.0, abs=1.5)
    assert "pencil beam's" in silent.dose_basis


@pytest.mark.parametrize(
    ("mu", "verdict", "code"),
    [
        (236.0, Verdict.AGREES, None),
        (239.0, Verdict.INVESTIGATE, "mu-investigate"),
        (217.0, Verdict.ACTION, "mu-action"),
    ],
)
def test_verdicts_and_their_findings(package, mu, verdict, code):
    found = check(package, plan(package), dose(mu, given_gy=1.0))
    assert found.verdict is verdict
    assert set(codes(found)) == ({code} if code else set())
    for finding in codes(found).values():
        assert finding.severity is Severity.WARNING
        assert f"{mu:g} MU" in finding.sentence
        assert "230.6 MU" in finding.sentence


def with_levels(package, **changes):
    levels = ActionLevels(source="Department policy 12", **changes)
    configuration = attrs.evolve(package.machine.configuration, mu_levels=levels)
    return attrs.evolve(package, machine=attrs.evolve(package.machine, configuration=configuration))


def test_a_machines_own_levels_decide(package):
    # 236 MU against 230.56 are 2.36 %: within the published 3 %, above a department's 2 %.
    strict = with_levels(package, investigate_pct=2.0)
    found = check(strict, plan(strict), dose(236.0, given_gy=1.0))
    assert found.verdict is Verdict.INVESTIGATE
    assert "Investigate above 2 %" in found.levels.text
    assert "Department policy 12" in found.levels.text
    few = with_levels(package, minimum_mu=300.0)
    assert "below 300 MU" in codes(check(few, plan(few), dose(231.0, given_gy=1.0)))["mu-few"].sentence


@pytest.mark.parametrize(("level", "wanted"), [(0.01, True), (3.0, False)])
def test_ways_to_the_cutout_factor_that_differ_ask_for_a_measurement(package, level, wanted):
    # The ways to the 4 × 4 at 12 MeV agree within the published 3 %, but no two ways agree within 0.01 %.
    own = with_levels(package, ways_investigate_pct=level)
    found = check(own, plan(own), dose(231.0, given_gy=1.0))
    factors = [w.factor.value for w in found.ways if w.factor is not None]
    largest = max((100 * (f / factors[0] - 1) for f in factors[1:]), key=abs)
    assert found.ways_difference_pct == pytest.approx(largest)
    assert ("mu-ways" in codes(found)) is wanted
    if wanted:
        assert "Measure this cutout" in codes(found)["mu-ways"].sentence


def test_published_levels_leave_a_machines_digest_as_it_was(package):
    assert b"mu_levels" not in canonical_bytes(package)
    assert b"mu_levels" in canonical_bytes(with_levels(package, action_pct=4.0))


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ({"action_pct": 4.0}, "source of their own"),
        ({"action_pct": 2.0, "source": "x"}, "lies above"),
        ({"ways_action_pct": 1.0, "source": "x"}, "lies above"),
        ({"minimum_mu": 0.0, "source": "x"}, "must be above 0"),
        ({"action_mu": float("nan"), "source": "x"}, "must be above 0"),
        ({"source": " "}, "source of their own"),
    ],
)
def test_levels_that_make_no_sense_are_refused(levels, words):
    with pytest.raises(Refused, match=words):
        ActionLevels(**levels)


def test_outside_the_data_there_is_a_sentence_instead_of_a_number(package):
    found = check(package, plan(package), dose(231.0, given_gy=1.0, ssd_cm=106.0))
    assert found.worksheet is None
    assert found.difference_pct is None
    assert found.verdict is Verdict.NOT_CHECKED
    assert "several distances" in codes(found)["mu-unchecked"].sentence


def test_a_package_without_tables_still_plans_but_is_not_checked(package):
    older = attrs.evolve(package, output_tables=())
    found = check(older, plan(older), dose(231.0, given_gy=1.0))
    assert found.verdict is Verdict.NOT_CHECKED
    assert "commission it again" in codes(found)["mu-unchecked"].sentence
    # the same model commissioned again, with tables, serves the older plan
    checker = MuChecker(Models([older, package]), patient_position="HFS")
    assert checker.checks(plan(older), dose(231.0, given_gy=1.0))[0].verdict is Verdict.AGREES


def test_an_assumed_factor_is_noted(package):
    planned = plan(package, outline=rectangle_cm(12.0, 13.0), applicator="A20")
    found = check(package, planned, dose(225.0, given_gy=1.0))
    assert found.worksheet.cutout.source is FactorSource.ASSUMED
    assert codes(found)["mu-assumed"].severity is Severity.NOTE


def test_few_and_broken_monitor_units_are_named(package):
    planned = plan(package, normalisation=Normalisation.FIXED_MU, mu=8.5)
    found = codes(check(package, planned, dose(8.5)))
    assert "below 10 MU" in found["mu-few"].sentence
    assert found["mu-broken"].severity is Severity.NOTE


def test_a_dose_that_is_not_the_plans_is_not_checked(package):
    state = attrs.evolve(dose(231.0, given_gy=1.0), status=DoseStatus.STALE)
    assert MuChecker(Models([package]), patient_position="HFS").checks(plan(package), state) == ()


def test_tables_are_in_the_digest_and_no_tables_leave_it_as_it_was(package):
    older = attrs.evolve(package, output_tables=())
    assert older.digest != package.digest
    # so that packages made before there were such tables keep their digest
    assert b"output_tables" in canonical_bytes(package)
    assert b"output_tables" not in canonical_bytes(older)
    assert isinstance(older, MachinePackage)
    assert [m.digest for m in older.models] == [m.digest for m in package.models]
