"""The list of a run of recomputations: written plan by plan, so that a run that was stopped goes on from it."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from ert.app.recompute import Row
from ert.app.recompute_difference import Difference
from ert.domain.dose import NUMERICS_VERSION
from ert.errors import Refused, StorageFailed

_LINES, _TABLE, _OBJECT = "recompute.jsonl", "recompute.csv", "recompute.json"
_COLUMNS = (
    "plan_id", "revision", "state", "before", "after", "before_engine", "after_engine", "largest_gy", "largest_pct",
    "gamma_pass_pct", "is_kept", "problem", "plan_digest", "numerics_version",
)  # fmt: skip


class RunList:
    """Rows of a run in a folder: one line for each finished plan, and in the end a table.

    Raises
    ------
    Refused
        The folder holds a list that cannot be read.
    StorageFailed
        The folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines = folder / _LINES
        self.rows: dict[str, Row] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            text = self._lines.read_text(encoding="utf-8") if self._lines.exists() else ""
        except OSError as error:
            raise StorageFailed(f"The folder '{folder}' cannot be used: {error.strerror}.") from error
        for line in text.splitlines(keepends=True):
            if line.endswith("\n"):  # a line that was cut off belongs to a plan that is not finished
                row = _read(line, self._lines)
                self.rows[row.plan_id] = row
        self._mend(text)

    def _mend(self, text: str) -> None:
        """Remove a line that was cut off, or the next one would be joined to it."""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            self._write(self._lines, whole)

    def is_finished(self, plan_id: str, plan_digest: str) -> bool:
        """True if these very values were computed by these numerics; what failed is tried again."""
        row = self.rows.get(plan_id)
        if row is None or row.state == "failed":
            return False
        return (row.plan_digest, row.numerics_version) == (plan_digest, NUMERICS_VERSION)

    def add(self, row: Row) -> None:
        """A plan is finished: on the disk before anything else happens."""
        self.rows[row.plan_id] = row
        try:
            with self._lines.open("a", encoding="utf-8") as out:
                out.write(json.dumps(attrs.asdict(row)) + "\n")
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise StorageFailed(f"'{self._lines}' cannot be written: {error.strerror}.") from error

    def write_tables(self) -> tuple[Path, Path]:
        """Write the rows as CSV and JSON; returns where."""
        text = io.StringIO()
        table = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
        table.writeheader()
        for row in self.rows.values():
            table.writerow(_flat(row))
        self._write(self._folder / _TABLE, text.getvalue())
        content = {"summary": self.summary(), "plans": [_flat(row) for row in self.rows.values()]}
        self._write(self._folder / _OBJECT, json.dumps(content, indent=1))
        return self._folder / _TABLE, self._folder / _OBJECT

    def summary(self) -> dict[str, int]:
        """How many plans came out how."""
        states = [row.state for row in self.rows.values()]
        return {state: states.count(state) for state in ("same", "changed", "new", "failed")}

    @staticmethod
    def _write(path: Path, text: str) -> None:
        new = path.with_suffix(".new")
        try:
            new.write_text(text, encoding="utf-8")
            new.replace(path)
        except OSError as error:
            raise StorageFailed(f"'{path}' cannot be written: {error.strerror}.") from error


def _flat(row: Row) -> dict[str, Any]:
    found = attrs.asdict(row)
    moved: Mapping[str, Any] = found.pop("difference") or {}
    return found | {name: moved.get(name) for name in ("largest_gy", "largest_pct", "gamma_pass_pct")}


def _read(line: str, file: Path) -> Row:
    try:
        content = json.loads(line)
        moved = content.pop("difference")
        return Row(**content, difference=None if moved is None else Difference(**moved))
    except (ValueError, TypeError, KeyError) as wrong:
        raise Refused(
            f"'{file}' holds a line that is none of a run of recomputations.", hint="Choose another folder.",
            detail=repr(wrong),
        ) from wrong  # fmt: skip
