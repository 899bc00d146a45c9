"""What a command writes: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

# Control characters but the ends of lines and tabs; marks that turn the direction of text.
_COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
ProgressFn = Callable[[float, str], None]


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on stdout."""
    json.dump(value, sys.stdout, indent=1, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def print_line(text: str = "") -> None:
    """A line on stdout."""
    sys.stdout.write(visible(text) + "\n")


def print_error(text: str) -> None:
    """A line on stderr."""
    sys.stderr.write(visible(text) + "\n")


def visible(text: str) -> str:
    """The text as a terminal may have it: names from files must neither command it nor turn what stands beside them."""
    return _COMMANDS.sub("\N{REPLACEMENT CHARACTER}", text)


def _in_one_line(cell: str) -> str:
    """A cell without ends of lines: one of them would look like the beginning of another row."""
    return " ".join(cell.splitlines())


def print_result(value: dict[str, Any], text: str, *, as_json: bool) -> None:
    """What a verb did: as a JSON object, or as a line for people."""
    if as_json:
        print_json(value)
    else:
        print_line(text)


def print_table(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table on stdout, as wide as the terminal allows; plain columns where there is no terminal."""
    if not sys.stdout.isatty():
        lines = [head, *(tuple(_in_one_line(cell) for cell in row) for row in rows)]
        widths = [max(len(row[i]) for row in lines) for i in range(len(head))]
        print_line(title)
        for row in lines:
            print_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left")
    for name in head:
        table.add_column(escape(name))
    for row in rows:
        table.add_row(*(escape(visible(_in_one_line(cell))) for cell in row))
    Console().print(table)


@contextmanager
def progress_bar() -> Iterator[ProgressFn]:
    """A progress bar on stderr if that is a terminal; gives a function (fraction, text)."""
    if not sys.stderr.isatty():
        yield _no_progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)

        def report(fraction: float, text: str = "") -> None:
            if text:
                bar.update(task, completed=fraction, description=text)
            else:
                bar.update(task, completed=fraction)

        yield report


def _no_progress(fraction: float, text: str = "") -> None:
    """Where nobody watches, nothing is shown."""
