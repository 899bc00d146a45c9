"""Cutout factors of measured inserts: 157 published measurements, and surfaces known exactly."""

import collections
import csv

import numpy as np
import pytest

from ert.dose.insert_model import fit_insert_model
from ert.dose.monotone import monotone_cubic
from ert.dose.tg71 import square_root_rule
from ert.dose.tg71_tables import SHAPE_SIGMA
from ert.errors import OutsideModel


def published(folder):
    """Measured cutout factors by (energy, applicator); the file holds dose open over dose cutout."""
    groups = collections.defaultdict(list)
    path = folder / "dicom" / "electron_measured_factors" / "pymedphys_electron_factor_measured_data.csv"
    with path.open(newline="") as file:
        for _, width, length, energy, applicator, ssd, inverse in list(csv.reader(file))[1:]:
            assert float(ssd) == 100.0
            groups[float(energy), float(applicator)].append((float(width), float(length), 1.0 / float(inverse)))
    return {key: np.array(rows).T for key, rows in groups.items()}


# standard deviation and largest leave-one-out residual allowed, per cent
LIMITS = {
    (12, 10): (0.6, 1.4),
    (6, 10): (0.6, 1.0),
    (9, 10): (0.6, 1.0),
    (15, 10): (0.6, 1.2),
    (18, 10): (0.6, 1.0),
    (6, 6): (1.0, 1.8),
}


def test_157_published_factors_are_found_when_left_out(development_data):
    groups = published(development_data)
    assert sum(len(g[0]) for g in groups.values()) == 157
    large = {key: g for key, g in groups.items() if len(g[0]) >= 8}
    assert set(large) == set(LIMITS)
    for key, (width, length, factor) in large.items():
        left_out = 100 * fit_insert_model(width, length, factor).leave_one_out
        spread, worst = float(np.std(left_out, ddof=1)), float(np.abs(left_out).max())
        assert spread < LIMITS[key][0], (key, spread)
        assert worst < LIMITS[key][1], (key, worst)
        assert spread < 0.75 * 100 * np.std(np.log(factor), ddof=1)  # it knows more than the mean


def test_groups_of_fewer_than_eight_are_refused(development_data):
    small = [g for g in published(development_data).values() if len(g[0]) < 8]
    assert small
    for width, length, factor in small:
        with pytest.raises(OutsideModel, match="a smooth table needs 8"):
            fit_insert_model(width, length, factor)


def test_published_wide_openings_have_factors_near_one(development_data):
    # what is assumed of openings with lateral equilibrium: 2 · 0.88 √E wide, nominal energy for the surface's
    found = [
        f
        for (energy, applicator), (width, _, factor) in published(development_data).items()
        if applicator >= 14
        for w, f in zip(width, factor, strict=True)
        if w >= 1.76 * np.sqrt(energy)
    ]
    assert len(found) > 20
    assert 0.99 < min(found) <= max(found) < 1.03
    assert np.sqrt(np.mean((np.array(found) - 1) ** 2)) < 0.015


def test_ovals_as_rectangles_of_equal_area_are_right_within_the_stated_uncertainty(development_data):
    # 12 MeV, 10 cm: circles d stand for squares √π/2 d; every other shape by the square-root rule between them
    width, length, factor = published(development_data)[12, 10]
    is_circle = length - width < 0.05
    order = np.argsort(width[is_circle])
    side = np.sqrt(np.pi) / 2
    known, values = side * width[is_circle][order], factor[is_circle][order]
    errors = []
    for w, n, f in zip(width[~is_circle], length[~is_circle], factor[~is_circle], strict=True):
        if known[0] <= side * w <= side * n <= known[-1]:
            a, b = monotone_cubic(known, values, side * np.array([w, n]))
            errors.append(square_root_rule(float(a), float(b)) / f - 1)
    assert len(errors) == 23
    assert np.sqrt(np.mean(np.square(errors))) < SHAPE_SIGMA
    assert np.abs(errors).max() < 0.03


def grid():
    width, length = np.meshgrid(np.linspace(3, 8, 6), np.linspace(3, 14, 6))
    keep = length >= width
    return width[keep], length[keep]


def test_leaving_out_in_closed_form_is_leaving_out_in_fact():
    width, length = grid()
    factor = 1.02 - 0.2 * np.exp(-width / 2.5) + 0.004 * np.sin(3 * length)
    model = fit_insert_model(width, length, factor)
    for n in (3, len(width) // 2):
        kept = np.arange(len(width)) != n
        others = fit_insert_model(width[kept], length[kept], factor[kept])
        value, _ = others.predict(width_cm=width[n], length_cm=length[n])
        assert value / factor[n] - 1 == pytest.approx(model.leave_one_out[n], abs=1e-9)


def test_a_smooth_surface_is_followed_between_the_points():
    width, length = grid()

    def surface(w, n):
        return 1.01 - 0.12 * np.exp(-w / 3) - 0.02 * np.exp(-n / 6)

    model = fit_insert_model(width, length, surface(width, length))
    for w, n in [(3.4, 3.9), (4.5, 8.2), (6.6, 12.1)]:
        value, sigma = model.predict(width_cm=w, length_cm=n)
        assert value == pytest.approx(surface(w, n), abs=0.002)
        assert 0.0005 < sigma < 0.01


@pytest.mark.parametrize(("width_cm", "length_cm"), [(2.5, 6.0), (8.5, 9.0), (5.0, 15.0), (5.0, 4.0)])
def test_outside_the_measured_sizes_there_is_no_factor(width_cm, length_cm):
    width, length = grid()
    model = fit_insert_model(width, length, 0.9 + 0.01 * width)
    with pytest.raises(OutsideModel, match="outside the"):
        model.predict(width_cm=width_cm, length_cm=length_cm)


def test_inserts_of_one_shape_span_no_table():
    with pytest.raises(OutsideModel, match="do not span"):
        fit_insert_model(np.full(9, 4.0), np.full(9, 5.0), np.full(9, 0.95))
