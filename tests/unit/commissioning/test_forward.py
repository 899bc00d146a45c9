"""The closed form of the pencil beam: the same numbers curve by curve, all at once, and with what is kept of others."""

import numpy as np

from ert.commissioning.air_edges import AirEdges
from ert.commissioning.forward import Points, joined, make_setup, slanted_depth_cm
from ert.commissioning.measured import AirProfile
from ert.commissioning.parameters import NAMES, START, to_parameters
from ert.commissioning.shapes import Shapes


def curve(side_cm, ssd_cm, x_cm, depth_cm):
    return Points(
        width_cm=side_cm, height_cm=side_cm + 1.0, applicator_x_cm=20.0, applicator_y_cm=25.0,
        x_cm=np.asarray(x_cm, dtype=np.float64), y_cm=np.zeros(len(x_cm)), depth_cm=np.asarray(depth_cm, np.float64),
        ssd_cm=ssd_cm,
    )  # fmt: skip


def test_joined_curves_give_the_bytes_of_each_curve():
    setup = make_setup(sad_cm=100.0, insert_cm=95.0, reference_ssd_cm=100.0, range_cm=6.0)
    p = to_parameters(START)
    depths = np.linspace(0.0, 7.0, 37)
    curves = [
        curve(4.0, 100.0, np.zeros(37), depths),
        curve(12.0, 110.0, np.linspace(-9.0, 9.0, 50), np.full(50, 2.0)),
        curve(2.0, 105.0, np.linspace(-3.0, 3.0, 11), np.full(11, 5.5)),
    ]
    together = joined(curves)
    for compute in (
        lambda setup, p, at: Shapes(setup, at).core_share(p),
        lambda setup, p, at: Shapes(setup, at).background(p)[0],
        lambda setup, p, at: Shapes(setup, at).background(p)[1],
        slanted_depth_cm,
    ):
        one_by_one = np.concatenate([compute(setup, p, at) for at in curves])
        assert compute(setup, p, together).tobytes() == one_by_one.tobytes()
        assert len(np.unique(one_by_one)) > 50


def test_what_is_kept_from_other_parameters_gives_the_bytes_of_a_computation_from_the_beginning():
    """Every parameter moved alone, as derivatives do it, there and back; each changes something."""
    setup = make_setup(sad_cm=100.0, insert_cm=95.0, reference_ssd_cm=100.0, range_cm=6.0)
    at = joined([
        curve(4.0, 100.0, np.zeros(37), np.linspace(0.0, 7.0, 37)),
        curve(12.0, 110.0, np.linspace(-9.0, 9.0, 50), np.full(50, 2.0)),
    ])  # fmt: skip
    kept, seen = Shapes(setup, at), set()
    for moved in [None, *range(len(START)), None]:
        vector = START.copy()
        if moved is not None:
            vector[moved] += 0.01
        p = to_parameters(vector)
        found = b"".join(a.tobytes() for a in (kept.core_share(p), *kept.background(p)))
        fresh = Shapes(setup, at)
        assert found == b"".join(a.tobytes() for a in (fresh.core_share(p), *fresh.background(p)))
        seen.add(found)
    assert len(seen) == len(START) + 1


def test_profiles_in_air_give_the_bytes_of_a_computation_from_the_beginning():
    """Every parameter moved alone; only those of the spread in air change anything, and the level counts nowhere."""
    setup = make_setup(sad_cm=100.0, insert_cm=95.0, reference_ssd_cm=100.0, range_cm=6.0)
    x_cm = np.linspace(-8.0, 8.0, 33)
    air = [
        AirProfile(
            applicator_id="A10", width_cm=10.0, distance_cm=distance, position_cm=x_cm,
            fluence=np.exp(-((x_cm / 5.5) ** 8)), sigma=np.full(33, 0.01),
        )
        for distance in (95.5, 100.0, 110.0)
    ]  # fmt: skip
    kept, found = AirEdges(setup, air), {}
    start = kept.residuals(to_parameters(START))
    for name, row in zip(NAMES, np.eye(len(START)), strict=True):
        p = to_parameters(START + 0.01 * row)
        found[name] = kept.residuals(p)
        assert found[name].tobytes() == AirEdges(setup, air).residuals(p).tobytes()
    assert {name for name, moved in found.items() if np.any(moved != start)} == {
        "virtual_sad_cm", "core_angle_rad", "wide_angle_rad", "wide_frac_0", "air_scatter_scale",
    }  # fmt: skip
    assert not start[:33].any()  # too near the insert
    assert start[33:].any()
