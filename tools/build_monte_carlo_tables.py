"""Build resources/tables/monte_carlo_electrons.npz: everything the Monte Carlo kernels look up, from formulas.

    python tools/build_monte_carlo_tables.py [--out FILE]

Inputs are the shipped tables of stopping powers (NIST ESTAR; ICRU 37), photon cross sections (NIST XCOM) and material
compositions (ICRU 46). Formulas and sources: docs/physics/monte_carlo.md.
"""

from __future__ import annotations

import argparse
import csv
import functools
import hashlib
import sys
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.special import loggamma

ROOT = Path(__file__).resolve().parents[1]
TABLES = ROOT / "resources" / "tables"
VERSION = 2
MEDIA = {
    "air": "air",
    "lung": "lung_ICRU46_inflated",
    "adipose": "adipose_ICRU46",
    "water": "water",
    "muscle": "muscle_ICRU46",
    "cartilage": "cartilage_ICRU46",
    "compact bone": "bone_compact_ICRU",
    "cortical bone": "bone_cortical_ICRU46",
    "aluminium": "aluminium",
    "wax": "machinable_wax_as_paraffin",
    "cerrobend": "cerrobend",
    "lead": "lead",
    "tungsten": "tungsten",
}
STEP, LAST = 0.0125, 26.0
SOFT_MEV = 0.2
METALS = ("cerrobend", "lead", "tungsten")
K1_MOST, K1_PER_G_CM2 = 0.2, 0.35
EDGE_SHARE, EDGE_COLLISIONS = 0.1, 25.0
"""Beside a wall of metal a tenth of the path between two deflections, but no fewer elastic collisions than that."""
POINTS, ANGLE_ENERGIES, BREMS_POINTS = 400, 64, 64
MOTT_TERMS, MOTT_POWER = 600, 3
MC2, RE, ALPHA, NA = 0.51099895, 2.8179403e-13, 1 / 137.035999, 6.02214076e23
WEIGHT = {
    1: 1.00794, 6: 12.011, 7: 14.0067, 8: 15.9994, 11: 22.98977, 12: 24.305, 13: 26.98154, 14: 28.0855, 15: 30.97376,
    16: 32.065, 17: 35.453, 18: 39.948, 19: 39.0983, 20: 40.078, 22: 47.867, 26: 55.845, 29: 63.546, 48: 112.411,
    50: 118.71, 74: 183.84, 82: 207.2, 83: 208.9804,
}  # fmt: skip


@functools.cache
def gauss(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss and Legendre on −1…1."""
    return np.polynomial.legendre.leggauss(count)


def read_columns(name: str) -> dict[str, np.ndarray]:
    """Columns of a CSV table of numbers."""
    with (TABLES / name).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {key: np.array([float(r[key]) for r in rows]) for key in rows[0]}


def compositions() -> dict[str, dict[int, float]]:
    """Weight fractions by atomic number."""
    found: dict[str, dict[int, float]] = {}
    with (TABLES / "material_compositions.csv").open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows)
        for name, _, _, text in rows:
            found[name] = {int(p.split(":")[0]): float(p.split(":")[1]) for p in text.split(";")}
    return found


def kinematics(energy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energy over rest energy, and β²."""
    tau = energy / MC2
    return tau, tau * (tau + 2) / (tau + 1) ** 2


def moller(energy: np.ndarray, electrons_per_g: float) -> tuple[np.ndarray, np.ndarray]:
    """Number (cm²/g) and energy loss (MeV cm²/g) of collisions that transfer more than SOFT_MEV (Møller 1932)."""
    tau, beta2 = kinematics(energy)
    cut = np.minimum(SOFT_MEV / energy, 0.5)
    a, b = (tau / (tau + 1)) ** 2, (2 * tau + 1) / (tau + 1) ** 2
    front = 2 * np.pi * RE**2 * MC2 * electrons_per_g / (beta2 * energy)
    number = 1 / cut - 1 / (1 - cut) + a * (0.5 - cut) - b * np.log((1 - cut) / cut)
    rest = 1 - cut
    loss = np.log(0.5 / cut) + 2 - 1 / rest + np.log(0.5 / rest) + a * (0.125 - cut**2 / 2) + b * np.log(0.5 / rest)
    return front * number, front * loss * energy


def schiff(energy: float, k: np.ndarray, z: int) -> np.ndarray:
    """Energy times cross section over Z²: Schiff, intermediate screening (Koch, Motz 1959, formula 3BS(e))."""
    e0 = energy / MC2 + 1
    e = e0 - k / MC2
    x = k / MC2
    b = 2 * e0 * e * z ** (1 / 3) / (111 * x)
    m = 1 / ((x / (2 * e0 * e)) ** 2 + (z ** (1 / 3) / 111) ** 2)
    atan = np.arctan(b)
    first = (1 + (e / e0) ** 2 - 2 * e / (3 * e0)) * (np.log(m) + 1 - 2 / b * atan)
    second = (e / e0) * (2 / b**2 * np.log(1 + b**2) + 4 * (2 - b**2) / (3 * b**3) * atan - 8 / (3 * b**2) + 2 / 9)
    return np.maximum(first + second, 0.0)


def brems_shape(energy: float, k: np.ndarray, mix: dict[int, float]) -> np.ndarray:
    """Energy of photons times cross section of a mixture, up to a constant; Z (Z + 1) counts atomic electrons."""
    return sum(w / WEIGHT[z] * z * (z + 1) * schiff(energy, k, z) for z, w in mix.items())


def bremsstrahlung(energy: np.ndarray, radiative: np.ndarray, mix: dict[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Number (cm²/g) of photons above SOFT_MEV and energy loss to those below; shape Schiff, integral ESTAR."""
    number, soft = np.zeros_like(energy), radiative.copy()
    at, wide = gauss(48)
    at, wide = (at + 1) / 2, wide / 2
    for i, e in enumerate(energy):
        if e <= SOFT_MEV * 1.0001:
            continue
        low = SOFT_MEV * at
        high = SOFT_MEV * (e / SOFT_MEV) ** at
        below = np.sum(brems_shape(e, low, mix) * wide) * SOFT_MEV
        shape = brems_shape(e, high, mix)
        above = np.sum(shape * high * wide) * np.log(e / SOFT_MEV)
        scale = radiative[i] / (below + above)
        soft[i] = below * scale
        number[i] = np.sum(shape * wide) * np.log(e / SOFT_MEV) * scale
    return number, soft


def brems_inverse(energy: float, mix: dict[int, float]) -> np.ndarray:
    """ln(k/SOFT)/ln(E/SOFT) at evenly spaced cumulative probability."""
    y = np.linspace(0, 1, 401)
    k = SOFT_MEV * (energy / SOFT_MEV) ** np.minimum(y, 1 - 1e-9)
    shape = brems_shape(energy, k, mix)
    total = np.concatenate([[0], np.cumsum(0.5 * (shape[1:] + shape[:-1]))])
    return np.interp(np.linspace(0, 1, BREMS_POINTS + 1), total / total[-1], y)


def mott(z: int, beta: float, x: np.ndarray) -> np.ndarray:
    """Mott's cross section over Rutherford's at x = 1 − cos θ: his series (Sherman 1956, Phys Rev 103:1601).

    The series are multiplied by (1 − cos θ)³, so that they converge (Yennie, Ravenhall, Wilson 1954); x from 0.003 up.
    """
    charge = ALPHA * z
    q = charge / beta
    k = np.arange(MOTT_TERMS + MOTT_POWER + 2, dtype=float)
    phase = np.zeros(len(k), dtype=complex)
    phase[1:] = mott_phase(k[1:], q) - mott_phase(np.sqrt(k[1:] ** 2 - charge**2), q)
    low, high, order = phase[:-1], phase[1:], k[:-1]
    sign = 1.0 - 2.0 * (order % 2)
    sums = []
    for terms in (order * low + (order + 1) * high, order**2 * low - (order + 1) ** 2 * high):
        c = sign * terms
        for _ in range(MOTT_POWER):
            n = np.arange(len(c) - 1)
            below = np.concatenate([[0.0], c[:-2]]) * n / (2 * n - 1)
            c = c[:-1] - (n + 1) / (2 * n + 3) * c[1:] - below
        sums.append(0.5j * np.polynomial.legendre.legval(1 - x, c[:MOTT_TERMS]) / x**MOTT_POWER)
    half2 = x / 2
    point = 0.5j * np.exp(loggamma(1 - 1j * q) - loggamma(1 + 1j * q) + 1j * q * np.log(half2))
    f, g = point + sums[0], -1j * q * (1 - half2) / half2 * point + sums[1]
    both = q**2 * (1 - beta**2) * np.abs(f) ** 2 / half2 + np.abs(g) ** 2 / (1 - half2)
    return both * 4 * half2**2 / q**2


def mott_phase(order: np.ndarray, q: float) -> np.ndarray:
    """exp(−iπk) Γ(k − iq) / Γ(k + iq) / (k + iq)."""
    return np.exp(-1j * np.pi * order + loggamma(order - 1j * q) - loggamma(order + 1j * q)) / (order + 1j * q)


@functools.cache
def mott_spline(z: int, tau: float) -> CubicSpline:
    """The ratio over sin(θ/2); 1 straight on."""
    at = np.concatenate([[0.0], np.linspace(0.04, 0.999, 60)])
    ratio = mott(z, np.sqrt(tau * (tau + 2)) / (tau + 1), 2 * at[1:] ** 2)
    return CubicSpline(at, np.concatenate([[1.0], ratio]))


class Elastic:
    """Transport moments of nuclear elastic scattering and soft collisions with electrons."""

    def __init__(self, energy: float, mix: dict[int, float]) -> None:
        self.tau, beta2 = kinematics(np.float64(energy))
        self.beta = np.sqrt(beta2)
        self.front = 2 * np.pi * (RE / ((self.tau + 1) * beta2)) ** 2 * NA
        self.mix = mix
        transfer = min(SOFT_MEV, energy / 2)
        left = energy - transfer
        cos2 = left * (energy + 2 * MC2) / (energy * (left + 2 * MC2))
        self.soft_x = 1 - np.sqrt(cos2)

    def screening(self, z: int) -> float:
        """Molière's screening parameter of an atom."""
        eta = (ALPHA * z ** (1 / 3) / 0.885) ** 2 * (1.13 + 3.76 * (ALPHA * z / self.beta) ** 2)
        return float(eta / (4 * self.tau * (self.tau + 2)))

    def nodes(self, most: float) -> tuple[np.ndarray, np.ndarray]:
        """Nodes x = 1 − cos and weights dx, dense where any atom of the mixture still scatters much."""
        eta = min(self.screening(z) for z in self.mix)
        at, wide = gauss(240)
        low, high = np.log(2 * eta), np.log(most + 2 * eta)
        t = np.exp(low + (high - low) * (at + 1) / 2)
        return np.maximum(t - 2 * eta, 0.0), wide / 2 * (high - low) * t

    def mixture(self) -> tuple[np.ndarray, np.ndarray]:
        """Nodes x and weights of the macroscopic cross section, cm²/g."""
        x, dx = self.nodes(2.0)
        soft_x, soft_dx = self.nodes(self.soft_x)
        half = np.sqrt(x / 2)
        nuclear, soft = np.zeros_like(x), np.zeros_like(soft_x)
        for z, share in self.mix.items():
            per_g, eta = self.front * share / WEIGHT[z], self.screening(z)
            nuclear += per_g * z**2 * mott_spline(z, float(self.tau))(half) / (x + 2 * eta) ** 2
            soft += per_g * z / (soft_x + 2 * eta) ** 2
        return np.concatenate([x, soft_x]), np.concatenate([nuclear * dx, soft * soft_dx])

    def first(self) -> float:
        """First transport moment G1, cm²/g."""
        x, w = self.mixture()
        return float(np.sum(x * w))

    def collisions(self, k1: float) -> float:
        """Mean number of elastic collisions on a path with that K1."""
        x, w = self.mixture()
        return float(k1 * np.sum(w) / np.sum(x * w))

    def inverse(self, k1: float) -> np.ndarray:
        """1 − cos θ at 1 − (1 − k/N)³ of the Goudsmit–Saunderson distribution of a path with that K1."""
        x, w = self.mixture()
        path = k1 / np.sum(x * w)
        grid = 2 * np.linspace(0, 1, 2001) ** 4
        mu, at = 1 - x, 1 - grid
        before, here = np.ones_like(mu), mu.copy()
        p0, p1 = np.ones_like(at), at.copy()
        total = 0.5 * grid
        for order in range(1, 3000):
            # 1 − P_l loses digits only where x·l² is tiny, where its weight in the sum is tiny too.
            decay = path * float(np.sum(w * (1 - here)))
            p2 = ((2 * order + 1) * at * p1 - order * p0) / (order + 1)
            total += 0.5 * np.exp(-decay) * (p0 - p2)
            if decay > 18:
                break
            p0, p1 = p1, p2
            before, here = here, ((2 * order + 1) * mu * here - order * before) / (order + 1)
        total = np.maximum.accumulate(np.clip(total, 0, 1)) + 1e-15 * np.arange(len(grid))
        total /= total[-1]
        quantile = 1 - (1 - np.arange(POINTS + 1) / POINTS) ** 3
        found = np.interp(quantile, total, grid)
        found[-1] = 2.0
        return found * ((1 - np.exp(-k1)) / table_mean(found))


def table_mean(found: np.ndarray) -> float:
    """Mean of x(y), linear between nodes, y = N(1 − v^{1/3}), v uniform: ∫ x · 3(1 − y/N)²/N dy, exact per interval."""
    edge = 1 - np.arange(POINTS + 1) / POINTS
    whole = edge[:-1] ** 3 - edge[1:] ** 3
    # ∫ (position within the interval) dP, by three-point Gauss (the integrand is a cubic)
    at, wide = gauss(3)
    at, wide = (at + 1) / 2, wide / 2
    inner = sum(g * t * 3 * (edge[:-1] - t / POINTS) ** 2 / POINTS for t, g in zip(at, wide, strict=True))
    return float(np.sum(found[:-1] * whole + np.diff(found) * inner))


def photon_columns(energy: np.ndarray, mix: dict[int, float]) -> np.ndarray:
    """Compton, pair with triplet, photoelectric, cm²/g: NIST XCOM, mixed by weight.

    Interpolated in log-log, pairs after division by (1 − 2 mc²/E)³, with which they begin.
    """
    found = np.zeros((3, len(energy)))
    begin = np.maximum(1 - 2 * MC2 / energy, 0.0) ** 3
    table = read_columns("photon_cross_sections.csv")
    for z, share in mix.items():
        rows = table["z"] == z
        at, compton, photo = (table[c][rows] for c in ("energy_mev", "compton_barn", "photoelectric_barn"))
        pairs = table["pair_barn"][rows] + table["triplet_barn"][rows]
        is_above = pairs > 0
        shape = pairs[is_above] / (1 - 2 * MC2 / at[is_above]) ** 3
        per_g = share * NA / WEIGHT[z] * 1e-24
        found[0] += per_g * log_interp(energy, at, compton)
        found[1] += per_g * log_interp(energy, at[is_above], shape) * begin
        found[2] += per_g * log_interp(energy, at, photo)
    return found.T


def log_interp(x: np.ndarray, table_x: np.ndarray, table_y: np.ndarray) -> np.ndarray:
    """Linear in log-log, continued beyond the ends."""
    slope_low = np.log(table_y[1] / table_y[0]) / np.log(table_x[1] / table_x[0])
    slope_high = np.log(table_y[-1] / table_y[-2]) / np.log(table_x[-1] / table_x[-2])
    inside = np.exp(np.interp(np.log(x), np.log(table_x), np.log(table_y)))
    inside = np.where(x < table_x[0], table_y[0] * (x / table_x[0]) ** slope_low, inside)
    return np.where(x > table_x[-1], table_y[-1] * (x / table_x[-1]) ** slope_high, inside)


def cubic_log(x: np.ndarray, table_x: np.ndarray, table_y: np.ndarray) -> np.ndarray:
    """Cubic in log-log inside the table (collision losses bend at their minimum)."""
    inside = np.exp(CubicSpline(np.log(table_x), np.log(table_y))(np.log(np.clip(x, table_x[0], table_x[-1]))))
    return np.where((x >= table_x[0]) & (x <= table_x[-1]), inside, log_interp(x, table_x, table_y))


def build() -> dict[str, np.ndarray]:
    """All arrays of the file."""
    energy = np.maximum(np.arange(0, LAST + STEP / 2, STEP), STEP)
    collision, radiative = (read_columns(f"{n}_stopping_MeVcm2_g.csv") for n in ("collision", "radiative"))
    mixes = compositions()
    knots = np.geomspace(SOFT_MEV * 0.5, LAST, 90)
    angle_energy = np.geomspace(SOFT_MEV, LAST, ANGLE_ENERGIES)
    water = np.array([Elastic(e, mixes["water"]).first() for e in knots])
    k1 = np.minimum(K1_MOST, K1_PER_G_CM2 * cubic_log(energy, knots, water))
    k1_at = np.minimum(K1_MOST, K1_PER_G_CM2 * cubic_log(angle_energy, knots, water))
    lead = np.array([Elastic(e, mixes["lead"]).collisions(1.0) for e in knots])
    edge_k1, edge_k1_at = (
        k * np.clip(EDGE_COLLISIONS / (k * cubic_log(e, knots, lead)), EDGE_SHARE, 1.0)
        for k, e in ((k1, energy), (k1_at, angle_energy))
    )
    electron, photon, total, angle, brems = [], [], [], [], []
    for name, column in MEDIA.items():
        mix = mixes[column]
        per_g = NA * sum(w * z / WEIGHT[z] for z, w in mix.items())
        s_col = cubic_log(energy, collision["E_MeV"], collision[column])
        s_rad = cubic_log(energy, radiative["E_MeV"], radiative[column])
        hard_number, hard_loss = moller(energy, per_g)
        brems_number, soft_rad = bremsstrahlung(energy, s_rad, mix)
        g1 = cubic_log(energy, knots, np.array([Elastic(e, mix).first() for e in knots]))
        electron.append(np.stack([s_col - hard_loss + soft_rad, g1, hard_number, brems_number], axis=1))
        total.append(np.stack([s_col, s_rad], axis=1))
        photon.append(photon_columns(energy, mix))
        angle.append([Elastic(e, mix).inverse(k) for e, k in zip(angle_energy, k1_at, strict=True)])
        brems.append([brems_inverse(max(e, SOFT_MEV * 1.001), mix) for e in angle_energy])
        sys.stderr.write(f"{name}\n")
    return {
        "version": np.array(VERSION),
        "media": np.array(list(MEDIA)),
        "step_mev": np.array(STEP),
        "soft_mev": np.array(SOFT_MEV),
        "electron": np.array(electron, dtype=np.float32),
        "total": np.array(total, dtype=np.float32),
        "photon": np.array(photon, dtype=np.float32),
        "first_moment": k1.astype(np.float32),
        "edge_moment": edge_k1.astype(np.float32),
        "angle_energy_mev": angle_energy,
        "angle": np.array(angle, dtype=np.float32),
        "metals": np.array(METALS),
        "edge_angle": np.array(
            [
                [Elastic(e, mixes[MEDIA[m]]).inverse(k) for e, k in zip(angle_energy, edge_k1_at, strict=True)]
                for m in METALS
            ],
            dtype=np.float32,
        ),
        "brems": np.array(brems, dtype=np.float32),
    }


def digest(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 over names and contents, in the order of the names."""
    state = hashlib.sha256()
    for name in sorted(arrays):
        state.update(f"{name}|{arrays[name].dtype.str}|{arrays[name].shape}|".encode())
        state.update(np.ascontiguousarray(arrays[name]).tobytes())
    return state.hexdigest()


def main() -> None:
    """Build and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TABLES / "monte_carlo_electrons.npz")
    arguments = parser.parse_args()
    arrays = build()
    with arguments.out.open("wb") as file:
        np.savez_compressed(file, digest=np.array(digest(arrays)), **arrays)
    sys.stdout.write(f"{digest(arrays)}, {arguments.out.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
