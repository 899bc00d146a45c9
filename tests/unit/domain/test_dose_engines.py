"""Plans whose beams are computed by different engines: what they are called, and how certain they are said to be."""

import attrs
import numpy as np
import pytest

from ert.domain.algorithm import Algorithm
from ert.domain.dose import DoseResult
from ert.domain.dose_engines import engines_text
from ert.domain.dose_uncertainty import plan_uncertainty
from ert.domain.monte_carlo_model import DoseStatistics
from ert.domain.statements import algorithm_of_engine, algorithms_of_engine, engine_label, engine_statement
from ert.geometry.grid import VoxelGrid

GRID = VoxelGrid(origin_cm=(0.0, 0.0, 0.0), spacing_cm=(1.0, 1.0, 1.0), shape_zyx=(2, 2, 2))


def result(digest, gy_per_mu, *, relative=None, engine="pencil-beam 9"):
    statistics = None
    if relative is not None:
        sigma = np.full(GRID.shape_zyx, relative, np.float32)
        statistics = DoseStatistics(
            relative_sigma=sigma, uncertainty_pct=100 * relative, histories=1000, seed=1, batches=10
        )
        engine = f"monte-carlo 9, {100 * relative:.2f} %, 1000 histories"
    return DoseResult(
        request_digest=digest, grid=GRID, gy_per_mu=np.full(GRID.shape_zyx, gy_per_mu, np.float32), engine=engine,
        dose_to="MEDIUM", ssd_cm=100.0, statistics=statistics,
    )  # fmt: skip


def test_a_mixed_plan_has_the_noise_of_its_monte_carlo_beams_only_over_the_dose_of_all():
    """Two Monte Carlo beams of 1 Gy at 3 % and 4 %, and 3 Gy without noise: root(0.03² + 0.04²) = 0.05 Gy of 5 Gy."""
    results = [result("a", 0.01, relative=0.03), result("b", 0.03), result("c", 0.01, relative=0.04)]
    total = np.full(GRID.shape_zyx, 5.0, np.float32)
    found = plan_uncertainty(results, [10.0, 10.0, 10.0], 10, total)
    assert found.sigma_gy == pytest.approx(0.05, rel=1e-5)
    assert found.mean_pct == pytest.approx(1.0, rel=1e-5)
    assert found.is_partial
    assert found.histories == 2000
    assert "beams of other engines are not in it" in found.sentence
    text = engines_text(results, [1, 2, 5], found)
    assert text == "pencil-beam 9 (beam 2); monte-carlo 9 (beams 1+5), 1.00 %, 2000 histories"
    assert algorithms_of_engine(text) == (Algorithm.PENCIL_BEAM, Algorithm.MONTE_CARLO)
    assert engine_label(text) == "Pencil beam (estimate) with Monte Carlo"
    assert "5–15 %" in engine_statement(text)
    assert "judge the maximum" in engine_statement(text)


def test_one_engine_keeps_its_plain_name():
    assert engines_text([result("a", 0.01), result("b", 0.01)], [1, 2], None) == "pencil-beam 9"
    alone = [result("a", 0.01, relative=0.02)]
    certain = plan_uncertainty(alone, [100.0], 1, np.ones(GRID.shape_zyx, np.float32))
    assert engines_text(alone, [1], certain) == "monte-carlo 9, 2.00 %, 1000 histories"
    assert certain.mean_pct == pytest.approx(2.0)
    assert not certain.is_partial


def test_the_label_of_several_doses_is_that_of_the_least_certain():
    assert algorithm_of_engine("monte-carlo 9, 1 %, 10 histories + pbra 9") is Algorithm.PBRA
    assert algorithm_of_engine("pbra 9 (beam 1); monte-carlo 9 (beam 2), 1.00 %, 5 histories") is Algorithm.PBRA
    with pytest.raises(ValueError, match="guess"):
        algorithm_of_engine("guess 1")


def test_a_plan_written_before_beams_had_algorithms_keeps_its_digest():
    from ert.domain.beam import Beam
    from ert.domain.device import Aperture
    from ert.domain.identity import canonical_bytes

    beam = Beam(
        number=1, name="A", machine_name="M", energy_mev=9.0, applicator_id="A10", model_digest="0", gantry_deg=0.0,
        isocentre_cm=(0.0, 0.0, 0.0), aperture=Aperture(outline_cm=((0, 0), (1, 0), (0, 1))),
    )  # fmt: skip
    assert b"algorithm" not in canonical_bytes(beam)
    own = attrs.evolve(beam, algorithm="pbra")
    assert own.algorithm is Algorithm.PBRA
    assert b'"algorithm":"pbra"' in canonical_bytes(own)
