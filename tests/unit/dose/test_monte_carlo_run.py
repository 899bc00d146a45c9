"""A Monte Carlo run watched, stopped, killed and resumed: same bytes, honest progress, a picture that is no dose."""

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import attrs
import numpy as np
import pytest

from ert.domain.dose import DoseResult, plan_dose_gy
from ert.domain.monte_carlo_model import MonteCarloModel, MonteCarloSettings
from ert.domain.monte_carlo_run import PartialDose, RunWatch
from ert.dose.monte_carlo import simulate
from ert.dose.monte_carlo_batches import BatchRunner
from ert.dose.monte_carlo_scene import build_scene
from ert.dose.monte_carlo_source import scene_numbers
from ert.dose.monte_carlo_tables import monte_carlo_tables
from ert.dose.output import rectangle_cm
from ert.errors import Cancelled, DigestMismatch, Refused
from tests.unit.dose.beams import beam, slab_phantom

SETTINGS = MonteCarloSettings(uncertainty_pct=0.5, max_histories=160_000, threads=2)
WATER = slab_phantom([(4.0, 1.0)], voxel_cm=0.5, width_cm=7.0)
SOURCE = MonteCarloModel(
    electrons_per_cm2_mu=3e7, spectrum_edges_mev=[5.5, 5.9, 6.3], spectrum_share=[0.5, 0.5], core_angle_rad=0.05,
    wide_frac=0.1, wide_angle_rad=0.1,
    virtual_sad_cm=92.0, off_axis=(0.0, 0.0), off_axis_limit_cm=10.0, photons_per_electron=0.4, photon_angle_rad=0.05,
    irradiated_margin_cm=0.5, insert_thickness_cm=1.5, insert_medium="cerrobend", insert_density_g_cm3=9.4,
    tables_digest=monte_carlo_tables().digest,
)  # fmt: skip
CHILD = """
import os, sys
from tests.unit.dose.test_monte_carlo_run import killed_run
killed_run(sys.argv[1])
"""


def run(watch=None, *, settings=SETTINGS, **more):
    return simulate(
        tissue=WATER, geometry=beam(rectangle_cm(4.0, 4.0)), model=SOURCE, dose_grid=WATER.grid, settings=settings,
        watch=watch, **more,
    )  # fmt: skip


def sha(found):
    dose, statistics = found
    return hashlib.sha256(dose.tobytes() + statistics.relative_sigma.tobytes()).hexdigest(), statistics.histories


def stopped(batches, **watched):
    """A run that is stopped once so many batches were added."""
    told = []

    def check():
        if len(told) >= batches:
            raise Cancelled("Stopped on request.")

    with pytest.raises(Cancelled):
        run(RunWatch(report=told.append, **watched), check=check)


@pytest.fixture(scope="module")
def whole():
    return sha(run())


def killed_run(file):
    """What the killed process does: it replaces its checkpoint after every batch and says so."""
    batches = 0

    def save(data):
        nonlocal batches
        batches += 1
        new = Path(f"{file}.new")
        new.write_bytes(data)
        os.replace(new, file)  # noqa: PTH105
        sys.stdout.write(f"{batches}\n")
        sys.stdout.flush()

    run(RunWatch(save=save, save_every_s=0.0), settings=attrs.evolve(SETTINGS, threads=1))


def test_a_run_killed_by_the_system_and_resumed_is_the_run_in_one_go(whole, tmp_path):
    """SIGKILL (TerminateProcess on Windows) in the second round; resumed with another number of threads."""
    file = tmp_path / "checkpoint"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(file)], stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[3], env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip
    with child:
        for line in child.stdout:
            if int(line) >= 40:
                child.kill()
                break
    assert child.returncode != 0
    assert sha(run(RunWatch(resume_from=file.read_bytes()))) == whole


@pytest.mark.parametrize("batches", [10, 32, 50])
def test_a_stopped_run_goes_on_where_it_was(whole, batches):
    """Stopped during the first round, at its end, and in the second."""
    saved, pictures = [], []
    stopped(batches, save=saved.append, picture=pictures.append)
    assert len(saved) == len(pictures) == 1
    assert isinstance(pictures[0], PartialDose)
    assert sha(run(RunWatch(resume_from=saved[0]))) == whole


def test_a_run_stopped_twice_goes_on(whole):
    saved = []
    for _ in range(2):
        stopped(12, save=saved.append, resume_from=saved[-1] if saved else None)
    assert saved[0] != saved[1]
    assert sha(run(RunWatch(resume_from=saved[-1]))) == whole


def test_a_checkpoint_of_another_run_or_damaged_is_refused():
    saved = []
    stopped(5, save=saved.append)
    good = saved[0]
    for settings in (attrs.evolve(SETTINGS, seed=1), attrs.evolve(SETTINGS, uncertainty_pct=1.0)):
        with pytest.raises(Refused, match="another calculation"):
            run(RunWatch(resume_from=good), settings=settings)
    with pytest.raises(Refused, match="another calculation"):
        run(RunWatch(resume_from=good), is_to_medium=False)
    bad = bytearray(good)
    bad[len(bad) // 2] ^= 1
    for data in (bytes(bad), good[:-100]):
        with pytest.raises(DigestMismatch, match="damaged"):
            run(RunWatch(resume_from=data))
    with pytest.raises(Refused, match="no Monte Carlo checkpoint"):
        run(RunWatch(resume_from=b"something else"))


def test_being_watched_changes_nothing_and_tells_the_truth(whole):
    """The uncertainty that is announced falls as 1/√histories and ends near the one that is found."""
    told, pictures = [], []
    watch = RunWatch(
        report=told.append, wants_picture=lambda: True, picture=pictures.append, save=lambda _: None, save_every_s=0.0
    )
    found = run(watch)
    assert sha(found) == whole
    known = [t for t in told if t.uncertainty_pct is not None]
    assert all(t.done_frac == 0 and t.remaining_s is None for t in told[: len(told) - len(known)])
    assert np.all(np.diff([t.done_frac for t in told]) >= 0)
    assert known[-1].done_frac == 1.0
    assert known[-1].remaining_s == 0.0
    assert all(t.remaining_s > 0 for t in known[:-1])
    assert known[-1].histories == found[1].histories
    assert known[-1].uncertainty_pct == pytest.approx(found[1].uncertainty_pct, rel=0.2)
    assert known[-1].uncertainty_pct < known[0].uncertainty_pct
    assert np.all(np.diff([p.histories for p in pictures]) >= 0)
    last = pictures[-1]
    assert np.array_equal(last.preview_gy_per_mu, found[0])
    assert last.uncertainty_pct == pytest.approx(found[1].uncertainty_pct)


def test_a_picture_cannot_pass_for_a_dose():
    pictures = []
    stopped(12, picture=pictures.append)
    picture = pictures[0]
    assert not isinstance(picture, DoseResult)
    assert not {f.name for f in attrs.fields(PartialDose)} & {"gy_per_mu", "request_digest", "statistics", "engine"}
    with pytest.raises(AttributeError):
        plan_dose_gy([picture], [100.0], 1)
    with pytest.raises(ValueError, match="read-only"):
        picture.preview_gy_per_mu[0, 0, 0] = 1.0
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        picture.histories = 0


def test_a_stop_is_heard_within_a_batch():
    """A batch of 20 million histories takes minutes; the stop ends it long before, and nothing of it was added."""
    tables = monte_carlo_tables()
    scene = build_scene(tables, WATER, WATER.grid)
    runner = BatchRunner(scene, scene_numbers(SOURCE, tables, beam(rectangle_cm(4.0, 4.0)), scene), SETTINGS)

    def check():
        raise Cancelled("Stopped on request.")

    with pytest.raises(Cancelled):
        next(runner.run(1, 20_000_000, check))
    assert runner.sums.batches == 0
    assert runner.sums.total.sum() == 0


def test_the_next_batch_begins_while_one_is_added():
    runner = BatchRunner(
        build_scene(monte_carlo_tables(), WATER, WATER.grid), source=None, settings=attrs.evolve(SETTINGS, threads=1)
    )
    begun = threading.Event()

    def batch(score, first, _histories, _stop):
        if first > 0:
            begun.set()
        score.fill(1.0)
        return score, np.zeros(4)

    runner._batch = batch
    steps = runner.run(3, 10, None)
    assert next(steps) == 1
    assert begun.wait(timeout=60.0)  # nothing asked for the second batch since
    assert list(steps) == [2, 3]
    assert runner.sums.run().total[0] == 3.0
