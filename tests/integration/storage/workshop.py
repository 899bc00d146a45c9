"""Where sites of rigs are made and unmade, by the thousand: in memory, statements compiled once, little collected."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import sqlalchemy as sa


@contextlib.contextmanager
def workshop(folder: Path | None = None) -> Iterator[Path]:
    """A folder for scenes; in memory where there is such a place, because flushes cost nothing there."""
    memory = Path("/dev/shm")  # noqa: S108
    place = folder or (memory if os.access(memory, os.W_OK) else None)
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="ert-faults-", dir=place))
    try:
        with statements_compiled_once(), collected_seldom():
            yield made
    finally:
        shutil.rmtree(made)


@contextlib.contextmanager
def collected_seldom() -> Iterator[None]:
    """Look for garbage a hundred times less often: what is imported is looked through each time, and is none."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100 * before[0], *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextlib.contextmanager
def statements_compiled_once() -> Iterator[None]:
    """Let all databases of this process share what SQLAlchemy compiles: sites are opened by the thousand here."""
    create, shared = sa.create_engine, []

    def create_engine(*arguments: Any, **options: Any) -> sa.Engine:  # noqa: ANN401
        engine = create(*arguments, **options)
        shared.append(engine) if not shared else None
        engine.dialect, engine._compiled_cache = shared[0].dialect, shared[0]._compiled_cache
        return engine

    with mock.patch.object(sa, "create_engine", create_engine):
        yield
