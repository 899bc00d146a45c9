"""The Monte Carlo's tables as the kernels read them (resources/tables/monte_carlo_electrons.npz)."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.identity import read_only
from ert.errors import DigestMismatch, SchemaTooNew
from ert.settings import resources_dir

Float32 = NDArray[np.float32]
VERSION = 2
FILE_NAME = "monte_carlo_electrons.npz"


@attrs.frozen(kw_only=True, eq=False)
class MonteCarloTables:
    """Per medium and energy; rows of the energy grid are `step_mev` apart from 0 (row 0 repeats row 1).

    Attributes
    ----------
    media : names in the order of the tables.
    electron : float32 [medium, energy, 4]: restricted stopping power (MeV cm²/g), first transport moment, collisions
        and photons above `soft_mev` (cm²/g).
    total : float32 [medium, energy, 2]: collision and radiative stopping power, MeV cm²/g.
    photon : float32 [medium, energy, 3]: Compton, pair, photoelectric (cm²/g).
    first_moment : float32 [energy]: transport moment used up between two deflections.
    angle : float32 [medium, row, point]: 1 − cos θ at cumulative probability 1 − (1 − k/N)³.
    metals : those that inserts are made of.
    edge_moment, edge_angle : float32 [energy], [metal, row, point]: as `first_moment` and `angle`, of the shorter paths
        of electrons beside a wall of metal.
    brems : float32 [medium, row, point]: ln(k/soft)/ln(E/soft) at evenly spaced cumulative probability.
    row : float32 [energy]: fractional row of `angle` and `brems`.
    digest : of the content.
    """

    media: tuple[str, ...]
    step_mev: float
    soft_mev: float
    electron: Float32
    total: Float32
    photon: Float32
    first_moment: Float32
    angle: Float32
    metals: tuple[str, ...]
    edge_moment: Float32
    edge_angle: Float32
    brems: Float32
    row: Float32
    digest: str

    @property
    def top_mev(self) -> float:
        """Highest energy that may be looked up: between the last two rows."""
        rows: int = self.electron.shape[1]
        return self.step_mev * (rows - 2)

    def medium(self, name: str) -> int:
        """Index of a medium."""
        return self.media.index(name)


def _digest(arrays: dict[str, NDArray[Any]]) -> str:
    state = hashlib.sha256()
    for name in sorted(arrays):
        state.update(f"{name}|{arrays[name].dtype.str}|{arrays[name].shape}|".encode())
        state.update(np.ascontiguousarray(arrays[name]).tobytes())
    return state.hexdigest()


@functools.cache
def monte_carlo_tables() -> MonteCarloTables:
    """The shipped tables.

    Raises
    ------
    DigestMismatch
        The file is not what `tools/build_monte_carlo_tables.py` wrote.
    SchemaTooNew
        Made for another version of the program.
    """
    with np.load(resources_dir() / "tables" / FILE_NAME) as file:
        arrays = {name: file[name] for name in file.files if name != "digest"}
        stated = str(file["digest"])
    if int(arrays["version"]) != VERSION:
        raise SchemaTooNew(f"{FILE_NAME} was made for another version of ERT.", hint="Install ERT again.")
    if _digest(arrays) != stated:
        raise DigestMismatch(f"{FILE_NAME} was changed after it was built.", hint="Install ERT again.")
    step = float(arrays["step_mev"])
    energy = np.maximum(np.arange(arrays["electron"].shape[1]) * step, step)
    knots = arrays["angle_energy_mev"]
    row = np.interp(np.log(energy), np.log(knots), np.arange(len(knots)))
    row = np.minimum(row, len(knots) - 1.0 - 1e-6).astype(np.float32)
    names = ("electron", "total", "photon", "first_moment", "angle", "edge_moment", "edge_angle", "brems")
    return MonteCarloTables(
        media=tuple(str(m) for m in arrays["media"]),
        metals=tuple(str(m) for m in arrays["metals"]),
        step_mev=step,
        soft_mev=float(arrays["soft_mev"]),
        row=read_only(row),
        digest=stated,
        **{name: read_only(arrays[name]) for name in names},
    )


def kernel_tables(tables: MonteCarloTables, majorant: NDArray[np.float64]) -> tuple[Any, ...]:
    """The tuple that the kernels take; `majorant` is the largest photon attenuation (1/cm) of a scene by energy."""
    return (
        tables.electron, tables.first_moment, tables.angle, tables.brems, tables.row, 1.0 / tables.step_mev,
        tables.photon, majorant, tables.total, _steps(tables), tables.edge_moment, tables.edge_angle,
    )  # fmt: skip


def _steps(tables: MonteCarloTables) -> Float32:
    """What a step of an electron looks up, side by side in memory: float32 [medium × energy × 8], flat.

    Stopping power, first transport moment and events (collisions and photons), each as a and b of the line a + b E from
    a row to the next; then the mean over that of the two of `last_ways`.
    """
    energy = np.arange(tables.electron.shape[1]) * tables.step_mev
    values = tables.electron.astype(np.float64)
    values = np.stack([values[..., 0], values[..., 1], values[..., 2] + values[..., 3]], axis=2)
    slope = np.zeros_like(values)
    slope[:, :-1] = np.diff(values, axis=1) / tables.step_mev
    found = np.zeros((*values.shape[:2], 8), dtype=np.float32)
    found[..., 0:6:2] = values - slope * energy[:, None]
    found[..., 1:6:2] = slope
    for column, way in enumerate(last_ways(tables), start=6):
        found[:, :-1, column] = 0.5 * (way[:, :-1] + way[:, 1:])
    return found.ravel()


def last_ways(tables: MonteCarloTables) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where an electron leaves its energy, as a straight way: length (g/cm²) and mean cosine [medium, energy].

    The energy lies evenly on the way, which has the mean cosine to the electron's direction. So it has the mean place
    ahead, z, and the mean square distance, r², of continuous slowing down to the absorption at W = `soft_mev`, where
    all that is left stays: with C the mean cosine of the direction, C' = −G1 C, z' = C and (r²)' = 2 (r · u),
    (r · u)' = 1 − G1 (r · u) (Lewis 1950). Each row comes from the one below: a step s of its own, s / (1 + G1 s/2)
    ahead, then as from there, turned by exp(−G1 s) = (1 − G1 s/2) / (1 + G1 s/2): the same bytes on every processor.
    """
    loss, moment = tables.electron[..., 0].astype(np.float64), tables.electron[..., 1].astype(np.float64)
    length, cosine = np.zeros(loss.shape), np.ones(loss.shape)
    ahead, square = np.zeros(loss.shape[0]), np.zeros(loss.shape[0])  # z and r², both times the energy
    for n in range(round(tables.soft_mev / tables.step_mev) + 1, loss.shape[1]):
        step = 2.0 * tables.step_mev / (loss[:, n] + loss[:, n - 1])
        half = 0.25 * step * (moment[:, n] + moment[:, n - 1])
        mean_step = step / (1.0 + half)
        square = square + mean_step * (2.0 * ahead + step * (n - 2.0 / 3.0) * tables.step_mev)
        ahead = ahead * (1.0 - half) / (1.0 + half) + mean_step * (n - 0.5) * tables.step_mev
        cosine[:, n] = np.minimum(1.0, 2.0 * ahead / np.sqrt(3.0 * square * n * tables.step_mev))
        length[:, n] = 2.0 * ahead / (cosine[:, n] * n * tables.step_mev)
    return length, cosine


def photon_majorant(tables: MonteCarloTables, largest_density_g_cm3: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest attenuation (1/cm) over the media of a scene, valid between each row and the next.

    Parameters
    ----------
    largest_density_g_cm3 : of each medium in the scene, zero where absent.
    """
    whole = tables.photon.astype(np.float64).sum(axis=2) * largest_density_g_cm3[:, None]
    most = whole.max(axis=0)
    after = np.append(most[1:], most[-1])
    return np.asarray(np.maximum(most, after) * 1.000001)
