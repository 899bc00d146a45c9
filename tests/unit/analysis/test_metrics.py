"""Metrics and goals on a histogram that can be reckoned by hand: dose spread evenly from 10 to 50 Gy over 200 cm³."""

import numpy as np
import pytest

from ert.analysis.goals import GoalState, evaluate_goal, parse_goal
from ert.analysis.metrics import evaluate_metric, paddick_conformity, parse_metric
from ert.domain.dvh import Dvh
from ert.domain.plan import Goal
from ert.errors import Refused
from tests.shapes import structure, structure_set


def even(low, high, volume_cc, name="even"):
    dose = np.arange(0, high + 0.05, 0.1)
    return Dvh(
        structure_number=1,
        name=name,
        volume_cc=volume_cc,
        dose_gy=dose,
        volume_pct=np.clip(100 * (high - dose) / (high - low), 0, 100),
        min_gy=low,
        mean_gy=(low + high) / 2,
        max_gy=high,
    )


EVEN = even(10.0, 50.0, 200.0)


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("D95%", 12.0),
        ("D95%[Gy]", 12.0),
        ("D50%", 30.0),
        ("D2%", 49.2),
        ("D100%", 10.0),
        ("D0%", 50.0),
        ("D2cc", 49.6),
        ("D0.03cc", 49.994),
        ("D50%[%]", 75.0),
        ("V20Gy", 75.0),
        ("V20Gy[%]", 75.0),
        ("V20Gy[cc]", 150.0),
        ("V100%", 25.0),
        ("V5Gy", 100.0),
        ("V60Gy", 0.0),
        ("CV20Gy", 50.0),
        ("CV20Gy[%]", 25.0),
        ("Mean", 30.0),
        ("Mean[%]", 75.0),
        ("Max", 50.0),
        ("Min[Gy]", 10.0),
        ("HI", (49.2 - 10.8) / 30.0),
    ],
)
def test_metrics(metric, value):
    assert evaluate_metric(metric, EVEN, prescription_gy=40.0) == pytest.approx(value, rel=1e-6)


def test_conformity():
    body = even(0.0, 50.0, 1000.0)  # 200 cm³ at or above 40 Gy
    assert evaluate_metric("CI", EVEN, prescription_gy=40.0, external=body) == pytest.approx(1.0)
    assert paddick_conformity(EVEN, body, prescription_gy=40.0) == pytest.approx(50**2 / (200 * 200))
    assert paddick_conformity(EVEN, body, prescription_gy=60.0) == 0


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        ("95", "no dose metric"),
        ("D95Gy", "D counts in % or cc"),
        ("V20cc", "V counts in Gy or %"),
        ("D95%[cc]", "cannot be given in cc"),
        ("Median", "no dose metric"),
        ("D120%", "more than 100 %"),
    ],
)
def test_names_that_are_not_understood(metric, sentence):
    with pytest.raises(Refused, match=sentence):
        parse_metric(metric)


def test_metrics_that_cannot_be_had():
    with pytest.raises(Refused, match="needs a prescribed dose"):
        evaluate_metric("V95%", EVEN)
    with pytest.raises(Refused, match="needs the histogram of the external"):
        evaluate_metric("CI", EVEN, prescription_gy=40.0)
    with pytest.raises(Refused, match=r"only 200.00 cm³; there is no D300cc"):
        evaluate_metric("D300cc", EVEN)
    with pytest.raises(Refused, match="no homogeneity index"):
        evaluate_metric("HI", nothing())


def nothing():
    return Dvh(
        structure_number=1,
        name="far",
        volume_cc=1.0,
        dose_gy=[0.0, 0.1],
        volume_pct=[100.0, 0.0],
        min_gy=0.0,
        mean_gy=0.0,
        max_gy=0.0,
    )


STRUCTURES = structure_set(structure([], number=4, name="Lung_L"), structure([], number=5, name="PTV 50 Gy"))


def test_goals_are_read():
    assert parse_goal("Lung_L V20Gy <= 30 %", STRUCTURES) == Goal(
        structure_number=4, metric="V20Gy", comparison="<=", value=30.0, unit="%"
    )
    assert parse_goal("PTV 50 Gy D95%>=47.5 Gy", STRUCTURES) == Goal(
        structure_number=5, metric="D95%", comparison=">=", value=47.5, unit="Gy"
    )
    assert parse_goal("Lung_L HI ≤ 0.2", STRUCTURES).comparison == "<="


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Lung_L is fine", "is no goal"),
        ("Heart Mean <= 4 Gy", "no structures named 'Heart'"),
        ("Lung_L V20Gy <= 30 Gy", "given in %, cc, not in 'Gy'"),
        ("Lung_L D2cc <= 30 %", "given in Gy, %Rx"),
        ("Lung_L HI <= 30 %", "given in no unit"),
        ("Lung_L Q20 <= 30 %", "no dose metric"),
    ],
)
def test_goals_that_are_not_understood(text, sentence):
    with pytest.raises(Refused, match=sentence):
        parse_goal(text, STRUCTURES)


@pytest.mark.parametrize(
    ("text", "value", "distance", "state"),
    [
        ("Lung_L V20Gy <= 80 %", 75.0, 5.0, GoalState.MET),
        ("Lung_L V20Gy <= 75 %", 75.0, 0.0, GoalState.MET),
        ("Lung_L V20Gy < 75 %", 75.0, 0.0, GoalState.WITHIN_TOLERANCE),
        ("Lung_L V20Gy <= 74 %", 75.0, -1.0, GoalState.WITHIN_TOLERANCE),
        ("Lung_L V20Gy <= 70 %", 75.0, -5.0, GoalState.VIOLATED),
        ("Lung_L V20Gy <= 160 cc", 150.0, 10.0, GoalState.MET),
        ("Lung_L D95% >= 11 Gy", 12.0, 1.0, GoalState.MET),
        ("Lung_L D95% >= 95 %Rx", 30.0, -65.0, GoalState.VIOLATED),
        ("Lung_L Mean >= 30.5 Gy", 30.0, -0.5, GoalState.WITHIN_TOLERANCE),
    ],
)
def test_goals_are_met_nearly_met_or_violated(text, value, distance, state):
    result = evaluate_goal(parse_goal(text, STRUCTURES), EVEN, prescription_gy=40.0)
    assert (result.value, result.distance) == pytest.approx((value, distance), abs=1e-9)
    assert result.state is state
