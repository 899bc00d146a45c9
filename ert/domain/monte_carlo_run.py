"""A Monte Carlo while it runs: how far it is, a picture that is no dose, checkpoints, and who is told."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.identity import read_only
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid

CHECKPOINT_INTERVAL_S = 60.0


@attrs.frozen(kw_only=True)
class RunProgress:
    """How far a run is.

    Attributes
    ----------
    done_frac : 0…1 of the histories that the run is expected to need; it can step back when a look at the noise tells
        that they are more.
    histories : so far.
    uncertainty_pct : mean relative standard error above half of the maximum, as it was last found and scaled by
        1/√histories since; None before it was first found.
    remaining_s : expected from the speed so far; None until there is a speed.
    """

    done_frac: float
    histories: int
    uncertainty_pct: float | None
    remaining_s: float | None


@attrs.frozen(kw_only=True, eq=False)
class PartialDose:
    """What a run has found so far: a picture to look at.

    It is no `DoseResult`, has no digest of a request and none of a dose's fields, so that nothing that adds, stores,
    prescribes, exports or approves doses takes it.

    Attributes
    ----------
    grid : where.
    preview_gy_per_mu : float32 [z, y, x], read-only.
    preview_sigma : float32 [z, y, x], read-only: relative standard error.
    uncertainty_pct : mean of it above half of the maximum.
    histories, batches : that it rests on.
    """

    grid: VoxelGrid
    preview_gy_per_mu: NDArray[np.float32] = attrs.field(converter=read_only, repr=False)
    preview_sigma: NDArray[np.float32] = attrs.field(converter=read_only, repr=False)
    uncertainty_pct: float
    histories: int
    batches: int


@attrs.frozen(kw_only=True, eq=False)
class RunWatch:
    """Who is told what during a run, and where it goes on from. All are called on the thread that started the run.

    Nothing here changes the dose: a watched, an unwatched and a resumed run give the same bytes.

    Attributes
    ----------
    report : takes the progress, several times a second.
    wants_picture : asked after every batch whether `picture` is to be given one; it costs about as much as the dose
        grid takes to read a few times. A run that is stopped gives a last picture without being asked.
    picture : takes the picture.
    save : takes a checkpoint, every `save_every_s` and when the run is stopped. The bytes come from a patient's dose:
        whoever keeps them protects them as it protects doses, and replaces the last one only when the new one is whole.
    save_every_s : seconds between checkpoints.
    saves_end : whether the finished run gives a last checkpoint, from which its dose follows at once.
    resume_from : a checkpoint of the same run.
    """

    report: Callable[[RunProgress], None] | None = None
    wants_picture: Callable[[], bool] | None = None
    picture: Callable[[PartialDose], None] | None = None
    save: Callable[[bytes], None] | None = None
    save_every_s: float = CHECKPOINT_INTERVAL_S
    saves_end: bool = False
    resume_from: bytes | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        if not self.save_every_s >= 0.0:
            raise Refused("The time between two checkpoints must not be negative.")
