"""The closed form of the pencil beam: many curves at once are the same numbers as one curve after the other."""

import numpy as np

from ert.commissioning.forward import Points, background, core_share, joined, make_setup, slanted_depth_cm
from ert.commissioning.parameters import START, to_parameters


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
    for compute in (core_share, lambda *a: background(*a)[0], lambda *a: background(*a)[1], slanted_depth_cm):
        one_by_one = np.concatenate([compute(setup, p, at) for at in curves])
        assert compute(setup, p, together).tobytes() == one_by_one.tobytes()
        assert len(np.unique(one_by_one)) > 50
