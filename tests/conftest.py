"""What every test shares: a quiet environment set before Qt, VTK and numba are imported, and where data lies."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest

from ert.main import kernels_folder

ROOT = Path(__file__).resolve().parent.parent


def _set_environment() -> None:
    """No display, no settings of the person at the keyboard, the kernels this user has compiled already."""
    scratch = Path(tempfile.mkdtemp(prefix="ert-tests-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    (scratch / "runtime").mkdir(mode=0o700)
    os.environ.setdefault("NUMBA_CACHE_DIR", str(kernels_folder()))
    os.environ.setdefault("NUMBA_NUM_THREADS", "2")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as `ert.main.prepare_environment` has it
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("QT_SCALE_FACTOR", "1")
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    os.environ["LC_ALL"] = "C.UTF-8"
    for name in ("CACHE", "CONFIG", "DATA", "STATE"):
        os.environ[f"XDG_{name}_HOME"] = str(scratch / name.lower())
    os.environ["XDG_RUNTIME_DIR"] = str(scratch / "runtime")


_set_environment()
hypothesis.settings.register_profile("ert", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ert")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def development_data() -> Path:
    """The folder of real data sets beside the checkout; a test that asks for it is skipped where there is none."""
    folder = ROOT.parent / "shared"
    if not (folder / "dicom").is_dir():
        pytest.skip("needs the development data folder beside the checkout")
    return folder
