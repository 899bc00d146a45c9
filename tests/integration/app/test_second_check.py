"""Another engine checks a plan: figures by hand, the record, and when it no longer counts."""

import attrs
import numpy as np
import pytest

from ert.app.dose_state import DoseState, DoseStatus
from ert.app.second_check import compared, other_algorithm
from ert.domain.algorithm import Algorithm
from ert.domain.dose_uncertainty import DoseUncertainty
from ert.domain.plan import DoseGridSpec, with_beam
from ert.domain.second_check import CheckTolerances, Light
from ert.domain.structure import PointKind, PointOfInterest
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid

SHAPE = (20, 20, 20)


def dose(value_gy, engine="pencil-beam 7", uncertainty=None):
    grid = VoxelGrid(origin_cm=(-5.0, -5.0, -5.0), spacing_cm=(0.5, 0.5, 0.5), shape_zyx=SHAPE)
    gy = np.full(SHAPE, value_gy, np.float32)
    return DoseState(status=DoseStatus.CURRENT, grid=grid, plan_gy=gy, engine=engine, uncertainty=uncertainty)


@pytest.fixture
def bare(workspace):
    """The plan with a point in the middle of the grids of `dose`, and no structures to compare."""
    point = PointOfInterest(name="P", position_cm=(0.0, 0.0, 0.0), kind=PointKind.REFERENCE)
    return attrs.evolve(workspace.plan, points=(point,)), attrs.evolve(workspace.structures, structures=())


@pytest.mark.parametrize(
    ("second_gy", "gamma", "light"),
    [(51.0, 2.0 / 3.06, Light.GREEN), (52.0, 4.0 / 3.0 / 1.04, Light.RED), (48.0, 4.0 / 3.0 / 0.96, Light.RED)],
)
def test_flat_doses_give_the_gamma_and_the_differences_of_a_hand_calculation(bare, second_gy, gamma, light):
    """Flat doses: gamma is the difference over 3 % of the reference, the second; 50 Gy are prescribed."""
    plan, structures = bare
    found = compared(plan, structures, dose(50.0), dose(second_gy, "pbra 7"))
    assert found.check.gamma_mean_ratio == pytest.approx(gamma, rel=1e-3)
    assert found.check.gamma_pass_pct == (100.0 if gamma <= 1 else 0.0)
    assert found.check.gamma_reference == "pbra 7"
    (value,) = found.check.values
    assert (value.subject, value.quantity, value.first_gy, value.second_gy) == ("P", "Point", 50.0, second_gy)
    assert value.difference_pct == pytest.approx(2.0 * (second_gy - 50.0))
    assert found.check.light is light
    assert found.check.plan_digest == plan.digest


def test_a_noisy_dose_is_the_reference_and_widens_its_criterion(bare):
    plan, structures = bare
    sigma = DoseUncertainty(sigma_gy=np.full(SHAPE, 0.5, np.float32), mean_pct=1.0, histories=1)
    found = compared(plan, structures, dose(50.0, "monte-carlo 7, 1 %", sigma), dose(52.0))
    assert found.check.gamma_reference == "monte-carlo 7, 1 %"
    assert found.gamma.is_widened
    assert found.check.gamma_mean_ratio == pytest.approx(2.0 / (1.5 + 0.5), rel=1e-3)


def test_lights_change_at_the_limits_of_tg_218():
    limits = CheckTolerances()
    assert [limits.of_pass_rate(p) for p in (95.0, 94.9, 90.0, 89.9)] == [
        Light.GREEN, Light.AMBER, Light.AMBER, Light.RED,
    ]  # fmt: skip
    assert [limits.of_difference(d) for d in (-3.0, 3.1, -5.0, 5.1)] == [
        Light.GREEN, Light.AMBER, Light.AMBER, Light.RED,
    ]  # fmt: skip
    with pytest.raises(Refused):
        CheckTolerances(green_pass_pct=80.0)
    with pytest.raises(Refused):
        CheckTolerances(green_difference_pct=6.0)


def test_the_other_engine_is_never_the_plans_own():
    for algorithm in Algorithm:
        assert other_algorithm(algorithm) is not algorithm


def test_a_check_is_kept_with_the_revision_and_goes_out_of_date_with_an_edit(session, workspace, owner, beam):
    spec = DoseGridSpec(spacing_cm=0.5, margin_cm=2.0)
    workspace.apply("Plan", lambda plan: attrs.evolve(with_beam(plan, beam), dose_grid=spec))
    workspace.wait_for_dose(owner.pump)
    codes = {f.code for f in workspace.findings}
    assert "second-check-none" in codes

    def compare(*engines):
        found, wrong = [], []
        workspace.checks.compare(workspace.plan, engines, on_done=found.append, on_failed=wrong.append,
                                 on_cancelled=lambda: wrong.append(None), on_progress=lambda *_: None)  # fmt: skip
        owner.until(lambda: found or wrong)
        return (found or wrong)[0]

    assert isinstance(compare(Algorithm.PBRA, Algorithm.PBRA), Refused)
    check = compare(Algorithm.PENCIL_BEAM, Algorithm.PBRA)
    assert 50.0 < check.check.gamma_pass_pct <= 100.0
    assert {v.subject for v in check.check.values} >= {"PTV_Chestwall", "Lung_L"}
    with pytest.raises(Refused, match="edited since it was saved"):
        workspace.checks.keep(check, workspace.stored)
    saved = []
    workspace.save(on_saved=lambda: saved.append(True))
    owner.until(lambda: saved)
    workspace.checks.keep(check, workspace.stored)
    (finding,) = [f for f in workspace.findings if f.code == "second-check"]
    assert f"{check.check.gamma_pass_pct:.1f} %" in finding.sentence
    others = compare(Algorithm.PBRA, Algorithm.PENCIL_BEAM)
    with pytest.raises(Refused, match="no second check"):
        workspace.checks.keep(others, workspace.stored)
    workspace.apply("Rename", lambda p: attrs.evolve(p, name="Other"))
    assert any(f.code == "second-check-stale" for f in workspace.findings)
    workspace.undo()
    assert any(f.code == "second-check" for f in workspace.findings)
    again = session.open_plan(workspace.plan.id)
    again.wait_for_dose(owner.pump)
    assert again.checks.kept == workspace.checks.kept
    assert any(f.code == "second-check" for f in again.findings)
    again.close()
