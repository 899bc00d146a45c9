"""Random numbers by counter and directions: every history has its own stream, whoever computes it.

Stream of a history: s0 = mix(seed + history · 0xD1342543DE82EF95), n-th number mix(s0 + n · 0x9E3779B97F4A7C15), with
the finaliser of SplitMix64 (Steele, Lea, Flood 2014, OOPSLA).

Starts within a batch lie on a lattice (Kronecker's), put at a random place for each batch: point n is that place + n α
modulo 1, with α = 1/ρ, 1/ρ² (ρ³ = ρ + 1, Roberts 2018, "The unreasonable effectiveness of quasirandom sequences") and
π − 3, the best of thirteen numbers tried: any share of the points, picked by the third coordinate, is even too, for 600
to 17 000 points. Every point by itself is uniform over the unit cube.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

State = NDArray[np.uint64]
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
_Function = TypeVar("_Function", bound=Callable[..., Any])
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_STREAM = np.uint64(0xD1342543DE82EF95)
_LATTICE = np.uint64(0xA0761D6478BD642F)
_LATTICE_STEPS = (
    np.uint64(0xC13FA9A902A6328F), np.uint64(0x91E10DA5C79E7B1D), np.uint64(0x243F6A8885A308D3)
)  # fmt: skip
LATTICE_NUMBERS = 4
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11, _2 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11), np.uint64(2)
_16, _32, _48, _LOW, _LOW32 = np.uint64(16), np.uint64(32), np.uint64(48), np.uint64(0xFFFF), np.uint64(0xFFFFFFFF)
_UNIT, _UNIT30, _UNIT32, _COARSE = 2.0**-53, 2.0**-30, 2.0**-32, 2.0**-16
_QUARTER_TURN = 0.5 * math.pi


def kernel(function: _Function) -> _Function:
    """Compile a kernel of the transport: divisions without a check, and no reference counts.

    The transport allocates nothing. Counting references to the arrays it hands on, two locked additions for each, was
    half of the time of a short particle and a quarter of all of it; whoever calls `run_beam` holds them.
    """
    return cast(_Function, njit(**_OPTIONS)(function))


def inlined(function: _Function) -> _Function:
    """Compile a kernel into the one that calls it; for what takes the tables or the scene and is called in few places.

    Numba hands an array on as seven to eleven words: with the tables a call writes and reads more than a hundred, for
    an electron, a hard event or a place to start as much time as a step takes. Results are the same to the last bit.
    """
    return cast(_Function, njit(forceinline=True, **_OPTIONS)(function))


@kernel
def mix64(z: np.uint64) -> np.uint64:
    """Finaliser of SplitMix64."""
    z = (z ^ (z >> _30)) * _M1
    z = (z ^ (z >> _27)) * _M2
    return z ^ (z >> _31)


@kernel
def start_history(rng: State, seed: np.uint64, history: np.uint64) -> None:
    """Put the stream at its beginning."""
    rng[0] = mix64(seed + history * _STREAM)


@kernel
def bits(rng: State) -> np.uint64:
    """The next 64 bits of the stream."""
    rng[0] += _GOLDEN
    return mix64(rng[0])


@kernel
def uniform(rng: State) -> float:
    """The next number of the stream in [0, 1)."""
    return np.int64(bits(rng) >> _11) * _UNIT


@kernel
def unit_of(z: np.uint64) -> float:
    """The number in [0, 1) that 64 bits name."""
    return np.int64(z >> _11) * _UNIT


@kernel
def start_lattice(lattice: State, seed: np.uint64, first: np.uint64) -> None:
    """Put the lattice of the batch that begins with history `first` at a random place of its own.

    `lattice` has room for its three coordinates and a stream, `LATTICE_NUMBERS` in all.
    """
    stream = lattice[LATTICE_NUMBERS - 1 :]
    start_history(stream, seed ^ _LATTICE, first)
    for a in range(LATTICE_NUMBERS - 1):
        lattice[a] = bits(stream)


@kernel
def lattice_points(lattice: State, point: np.uint64) -> tuple[float, float, float]:
    """Coordinates of a point of the lattice in [0, 1): where across, where along, and what kind of a particle."""
    return (
        unit_of(lattice[0] + point * _LATTICE_STEPS[0]), unit_of(lattice[1] + point * _LATTICE_STEPS[1]),
        unit_of(lattice[2] + point * _LATTICE_STEPS[2]),
    )  # fmt: skip


@kernel
def quarters(rng: State) -> tuple[float, float]:
    """Two coarse numbers in (0, 1) from one of the stream, in steps of 2⁻¹⁶: one, and the largest of three."""
    z = bits(rng)
    largest = max(np.int64((z >> _32) & _LOW), np.int64((z >> _16) & _LOW), np.int64(z & _LOW))
    return (np.int64(z >> _48) + 0.5) * _COARSE, (largest + 0.5) * _COARSE


@kernel
def exponential(rng: State) -> float:
    """Exponential deviate of mean 1."""
    return -math.log(1.0 - uniform(rng))


@kernel
def circle_of(z: np.uint64) -> tuple[float, float]:
    """Cosine and sine of the azimuth that 32 bits name: of ±45° by the power series to 2e-9, then quarter turns."""
    a = (np.int64(z >> _2) * _UNIT30 - 0.5) * _QUARTER_TURN
    q = a * a
    s = a * (1.0 + q * (-1.0 / 6.0 + q * (1.0 / 120.0 + q * (-1.0 / 5040.0 + q * (1.0 / 362880.0)))))
    c = 1.0 + q * (-0.5 + q * (1.0 / 24.0 + q * (-1.0 / 720.0 + q * (1.0 / 40320.0 - q * (1.0 / 3628800.0)))))
    quarter = np.int64(z)
    swapped, sign = np.float64(quarter & 1), 1.0 - np.float64(quarter & 2)
    return sign * (c - swapped * (c + s)), sign * (s + swapped * (c - s))


@kernel
def on_circle(rng: State) -> tuple[float, float]:
    """Cosine and sine of a uniform azimuth."""
    return circle_of(bits(rng) >> _32)


@kernel
def on_circle_and(rng: State) -> tuple[float, float, float]:
    """Cosine and sine of a uniform azimuth, and a number in [0, 1) in steps of 2⁻³², from one of the stream."""
    z = bits(rng)
    c, s = circle_of(z >> _32)
    return c, s, np.int64(z & _LOW32) * _UNIT32


@kernel
def gaussian_pair(rng: State) -> tuple[float, float]:
    """Two independent standard normal deviates."""
    c, s = on_circle(rng)
    r = math.sqrt(2.0 * exponential(rng))
    return r * c, r * s


@kernel
def turned(u: float, v: float, w: float, x: float, c: float, s: float) -> tuple[float, float, float]:
    """Unit vector (u, v, w) turned by the polar angle of 1 − cos = x towards the azimuth of cosine c and sine s."""
    cos, sin = 1.0 - x, math.sqrt(max(0.0, x * (2.0 - x)))
    f, g = sin * c, sin * s
    sign = math.copysign(1.0, w)
    q = -1.0 / (sign + w)
    r = u * v * q
    a = u * cos + f * (1.0 + sign * u * u * q) + g * r
    b = v * cos + f * sign * r + g * (sign + v * v * q)
    d = w * cos - f * sign * u - g * v
    norm = 1.5 - 0.5 * (a * a + b * b + d * d)
    return a * norm, b * norm, d * norm
