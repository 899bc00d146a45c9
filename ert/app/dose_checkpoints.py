"""Checkpoints of the Monte Carlo runs of a plan from DICOM, in a folder the user names; for the command line.

What is written holds energies on the dose grid and digests, no name and no picture of the patient; like the dose files
that the command writes, it is not encrypted. A finished beam leaves its last state, so that a plan that is stopped in
its second beam does not compute the first again. The files go when the results are written.
"""

from __future__ import annotations

import os
from pathlib import Path

from ert.domain.monte_carlo_run import CHECKPOINT_INTERVAL_S, RunWatch
from ert.errors import DiskFull, StorageFailed

_NO_SPACE = 28


class DoseCheckpoints:
    """One file for each beam: ``beam-N.ert-checkpoint``."""

    def __init__(self, folder: Path, *, every_s: float = CHECKPOINT_INTERVAL_S) -> None:
        self._folder, self._every_s = folder, every_s

    def _file(self, beam_number: int) -> Path:
        return self._folder / f"beam-{beam_number}.ert-checkpoint"

    def watch(self, beam_number: int) -> RunWatch:
        """What the beam's run goes on from, and where it is kept.

        Raises
        ------
        StorageFailed
            The folder or a file in it cannot be read.
        """
        file = self._file(beam_number)
        try:
            found = file.read_bytes() if file.exists() else None
        except OSError as error:
            raise StorageFailed(
                f"The checkpoint '{file}' cannot be read: {error.strerror}.", detail=repr(error)
            ) from error
        return RunWatch(
            save=lambda data: self._save(file, data), save_every_s=self._every_s, saves_end=True, resume_from=found
        )

    def _save(self, file: Path, data: bytes) -> None:
        """Replace the beam's checkpoint once the new one is on the disk."""
        new = file.with_suffix(".new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with new.open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            new.replace(file)
        except OSError as error:
            kind = DiskFull if error.errno == _NO_SPACE else StorageFailed
            raise kind(f"The checkpoint '{file}' cannot be written: {error.strerror}.", detail=repr(error)) from error

    def clear(self) -> None:
        """Remove the checkpoints, and the folder if nothing else is in it."""
        try:
            for file in [*self._folder.glob("beam-*.ert-checkpoint"), *self._folder.glob("beam-*.new")]:
                file.unlink()
            if self._folder.exists() and not any(self._folder.iterdir()):
                self._folder.rmdir()
        except OSError as error:
            raise StorageFailed(
                f"The results are written; the checkpoints in '{self._folder}' cannot be removed: {error.strerror}.",
                hint="Remove them by hand.", detail=repr(error),
            ) from error  # fmt: skip
