"""Pencils interpolated between a few common widths against the plain sum of all of them, each with its own."""

import math

import numpy as np
import pytest

from ert.domain.identity import read_only
from ert.dose.kernels.lattice import add_blurred_map, coarsen, gather, occupied, refine_add, sums_onto
from ert.dose.kernels.spread import spread_planes
from ert.dose.pencil_beam import LEAST_VARIANCE_CM2

erf = np.vectorize(math.erf)
SIDE, PITCH_CM, SAD_CM, VIRTUAL_CM, INSERT_CM = 96, 0.25, 100.0, 93.0, 95.0
CORE_RAD, WIDE_RAD, AIR, DZ_CM, RANGE_CM = 0.02, 0.06, 2e-4, 0.05, 6.0


def shares(centres, sigma, count):
    """Of each pencil to each pixel along one side: its own pixel evenly filled, and blurred."""
    q = 1.0 / (math.sqrt(2.0) * sigma[:, None])
    away = np.arange(count)[None, :] - centres[:, None]
    return 0.5 * (erf((away + 0.5) * q) - erf((away - 0.5) * q))


def summed(rows, columns, amplitude, sigma):
    """Every pencil with its own width, in double precision."""
    return (amplitude[:, None] * shares(rows, sigma, SIDE)).T @ shares(columns, sigma, SIDE)


def no_background():
    """Maps, falls and laws of electrons of edges and of photons that there are none of."""
    maps, falls = np.zeros((4, 2, SIDE, SIDE), dtype=np.float32), np.zeros((2, 4), dtype=np.float32)
    laws = np.array([0.0, 0.0, 1.0, 0.05, 0.0, 0.05, 60.0])
    numbers = np.array([SAD_CM, VIRTUAL_CM, INSERT_CM, 0.05])
    return maps, read_only(np.array([1.0, 60.0])), read_only(falls), laws, numbers


@pytest.mark.parametrize(
    ("depth_cm", "spread_cm2", "widest"),
    [(0.0, 0.0, 1.0), (2.0, 0.02, 1.6), (3.0, 0.15, 6.0), (4.5, 0.6, 8.0), (5.5, 1.2, 3.0)],
)
def test_the_planes_are_the_sum_of_all_pencils_each_with_its_own_width(depth_cm, spread_cm2, widest):
    rng = np.random.default_rng(5)
    rows, columns = (a.ravel().astype(np.int32) for a in np.mgrid[30:66, 28:70])
    weight = rng.uniform(0.6, 1.0, len(rows))
    patches = rng.random((12, 14)).repeat(3, axis=0).repeat(3, axis=1)  # tissue changes every three pencils, abruptly
    depth, variance = np.zeros((2, 1, SIDE, SIDE), dtype=np.float32)
    depth[0, 30:66, 28:70] = depth_cm * (0.7 + 0.5 * patches)
    variance[0, 30:66, 28:70] = spread_cm2 * widest**patches
    entry = np.full((SIDE, SIDE), 100.5, dtype=np.float32)
    node_cm = np.array([100.5 + depth_cm])
    z = np.arange(0.0, 1.2 * RANGE_CM + DZ_CM, DZ_CM)
    g = np.maximum(0.0, 1.0 - (z / (1.15 * RANGE_CM)) ** 4)
    u = np.arange(0.0, 2.005, 0.01)
    wide, ratio = 0.3 * np.exp(-u), 2.5 - u
    numbers = np.array([PITCH_CM, SAD_CM, VIRTUAL_CM, INSERT_CM, CORE_RAD, WIDE_RAD, DZ_CM, RANGE_CM])
    dose = np.empty((1, SIDE, SIDE), dtype=np.float32)
    pencils, planes = (read_only(a) for a in (rows, columns, weight)), read_only(np.zeros(1, dtype=np.int64))
    tables = (read_only(a) for a in (g, wide, ratio))  # all as the engine gives it
    spread_planes(
        depth, variance, entry, *pencils, node_cm, planes, numbers, AIR, *tables, *no_background(), 1.0, dose
    )  # fmt: skip

    at, tissue = depth[0, rows, columns].astype(float), variance[0, rows, columns].astype(float)
    distance, gap = node_cm[0] - SAD_CM + VIRTUAL_CM, node_cm[0] - INSERT_CM
    to_pixels = VIRTUAL_CM / (distance * PITCH_CM)
    air = (CORE_RAD * gap) ** 2 + AIR / 6.0 * (gap**3 - depth_cm**3) + LEAST_VARIANCE_CM2
    b, r = np.interp(at / RANGE_CM, u, wide), np.interp(at / RANGE_CM, u, ratio)
    amplitude = weight * np.interp(at, z, g) * (VIRTUAL_CM / distance) ** 2
    core = np.sqrt(air + tissue) * to_pixels
    outer = np.sqrt(air + r**2 * tissue + (WIDE_RAD * gap) ** 2) * to_pixels
    expected = summed(rows, columns, amplitude * (1.0 - b), core) + summed(rows, columns, amplitude * b, outer)
    assert np.abs(dose[0] - expected).max() < 1e-4


@pytest.mark.parametrize("sigma", [0.4, 1.3, 2.9, 5.9, 6.1, 11.9, 12.1, 20.0])
def test_a_blurred_square_is_a_product_of_error_functions_on_every_lattice(sigma):
    field, side = np.zeros((256, 256), dtype=np.float32), 256
    field[100:149, 97:160] = 1.0
    field = read_only(field)
    sums = sums_onto(np.empty((side, side), dtype=np.float32))
    gather(sums, add_blurred_map(field, occupied(field), sigma, sums))
    q, x = 1.0 / (math.sqrt(2.0) * sigma), np.arange(side)
    along, across = (0.5 * (erf((e - 0.5 - x) * q) - erf((f - 0.5 - x) * q)) for f, e in ((100, 149), (97, 160)))
    assert np.abs(sums[0] - np.outer(along, across)).max() < 8e-5


def test_coarsening_keeps_sum_centroid_and_width():
    fine = np.zeros((64, 64), dtype=np.float32)
    fine[20:41, 17:30] = np.random.default_rng(3).random((21, 13), dtype=np.float32)
    coarse, _ = coarsen(fine, occupied(read_only(fine)))

    def moments(plane, pitch):
        """Sum, centroid and second moments on the finest lattice."""
        plane = plane.astype(float) * pitch**2
        j, i = ((np.arange(n) + 0.5) * pitch for n in plane.shape)
        total = plane.sum()
        y, x = (plane.sum(1) @ j) / total, (plane.sum(0) @ i) / total
        return total, y, x, (plane.sum(1) @ j**2) / total - y**2, (plane.sum(0) @ i**2) / total - x**2

    assert moments(coarse, 2) == pytest.approx(moments(fine, 1), rel=1e-5)


def test_refining_gives_parabolas_back():
    def surface(n, pitch):
        y, x = np.meshgrid((np.arange(n) + 0.5) * pitch, (np.arange(n) + 0.5) * pitch, indexing="ij")
        return (1.0 + 0.02 * x - 0.03 * y + 0.004 * x * y + 0.001 * x * x - 0.002 * y * y).astype(np.float32)

    fine = np.zeros((48, 48), dtype=np.float32)
    refine_add(surface(24, 2), fine)
    assert np.abs(fine - surface(48, 1)).max() < 2e-5
