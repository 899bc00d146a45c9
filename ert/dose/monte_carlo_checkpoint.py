"""Checkpoints of a Monte Carlo run as bytes: everything that is needed to go on as if nothing had happened.

A line that says what it is, the length of a JSON header (8 bytes), the header, Σ S, Σ S², Σ n S and tallies as
little-endian 64-bit floats, and the SHA-256 of all that. The header's key is a digest of everything that the run's
bytes depend on.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import attrs
import numpy as np

from ert.domain.dose import NUMERICS_VERSION
from ert.domain.identity import digest_of
from ert.dose.monte_carlo_batches import TALLIES, BatchRunner, Sums
from ert.errors import DigestMismatch, Refused

_MAGIC = b"ERT Monte Carlo checkpoint 3\n"
_DIGEST_BYTES, _LENGTH_BYTES = 32, 8
_COUNTS = ("batches", "histories", "histories_squared")


@attrs.frozen(kw_only=True)
class Round:
    """The part of a run up to its next look at the uncertainty.

    Attributes
    ----------
    batch_histories : of every batch of this round.
    batches : that the run has at the next look, those of earlier rounds included.
    expected_histories : that the run will need in all, as far as the last look could tell; None before the first.
    found_pct, found_histories : uncertainty at the last look, and the histories it rested on; None before the first.
    """

    batch_histories: int
    batches: int
    expected_histories: int | None = None
    found_pct: float | None = None
    found_histories: int | None = None


def run_key(runner: BatchRunner, tables_digest: str, *, is_to_medium: bool) -> str:
    """Digest of all that decides the bytes of a run; the number of threads does not."""
    scene, source = runner.scene, runner.source
    return digest_of((
        NUMERICS_VERSION, tables_digest, attrs.evolve(runner.settings, threads=0), is_to_medium,
        source.source, source.numbers, source.metals, source.affine, scene.kernel, scene.density_g_cm3,
        scene.relative_stopping, scene.patient_share, [(s.start, s.stop) for s in scene.window],
    ))  # fmt: skip


def checkpoint_bytes(sums: Sums, now: Round, key: str) -> bytes:
    """What has been summed so far and where the run stands."""
    state = {"key": key, "round": attrs.asdict(now), **{name: getattr(sums, name) for name in _COUNTS}}
    header = json.dumps(state, sort_keys=True).encode("ascii")
    grids = (sums.total, sums.squares, sums.sized)
    arrays = [np.ascontiguousarray(a, dtype="<f8").data for a in (*grids, sums.tally)]
    body = b"".join([_MAGIC, len(header).to_bytes(_LENGTH_BYTES, "little"), header, *arrays])
    return body + hashlib.sha256(body).digest()


def restored(data: bytes, key: str, size: int) -> tuple[Sums, Round]:
    """Sums and round of a checkpoint of the run with this key, on a grid of `size` voxels.

    Raises
    ------
    Refused
        Not a checkpoint, or one of another run.
    DigestMismatch
        The bytes are not those that were written.
    """
    if not data.startswith(_MAGIC):
        raise Refused("This is no Monte Carlo checkpoint of this version of ERT.", hint="Start the run anew.")
    body, stated = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != stated:
        raise DigestMismatch("The Monte Carlo checkpoint is damaged.", hint="Start the run anew.")
    begin = len(_MAGIC) + _LENGTH_BYTES
    end = begin + int.from_bytes(body[len(_MAGIC) : begin], "little")
    state: dict[str, Any] = json.loads(body[begin:end])
    if state["key"] != key:
        raise Refused(
            "The Monte Carlo checkpoint belongs to another calculation: patient, beam, machine or settings differ.",
            hint="Start the run anew.",
        )
    values = np.frombuffer(body, dtype="<f8", offset=end) if len(body[end:]) % 8 == 0 else np.empty(0)
    if len(values) != 3 * size + TALLIES:
        raise DigestMismatch("The Monte Carlo checkpoint is incomplete.", hint="Start the run anew.")
    sums = Sums(size)
    sums.total[:], sums.squares[:], sums.sized[:] = values[: 3 * size].reshape(3, size)
    sums.tally[:] = values[3 * size :]
    for name in _COUNTS:
        setattr(sums, name, int(state[name]))
    return sums, Round(**state["round"])
