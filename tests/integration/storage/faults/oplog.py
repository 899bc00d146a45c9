"""The log of shim.c, and which contents of a disk it allows at the moment the power goes.

A file system may keep or lose, and keep in any order, whatever was not flushed: the bytes of a file until that file is
flushed, the entries of a folder (made, linked, renamed, removed) until that folder is. A write that is not flushed may
be kept in part. Nothing is assumed of a flush of a file for the entry that names it, and nothing of renames for the
bytes behind them; real file systems promise more, none may be relied on to (Pillai et al., All file systems are not
created equal, OSDI 2014).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

Disk = dict[str, bytes | None]  # by path below the folder; None is a folder


@attrs.frozen(kw_only=True)
class Op:
    """One call that changes something.

    Attributes
    ----------
    kind : "data", "size", "entry" or "mark".
    node : number of the file or folder whose bytes change, or that gets a name; -1 removes the name.
    flushed_by : number of the file or folder whose flush makes it last.
    place : offset of data, or the new size.
    data : bytes written.
    path : name that is given or taken away, or the text of a mark.
    """

    kind: str
    node: int = -1
    flushed_by: int = -1
    place: int = 0
    data: bytes = b""
    path: str = ""


@attrs.frozen
class Sync:
    """A flush of one file or folder."""

    node: int


@attrs.define
class History:
    """What was on the disk before, and every call since.

    Attributes
    ----------
    steps : calls and flushes in order.
    nodes : by number, the bytes a file had before; None for a folder.
    names : by path, the number behind it before.
    """

    steps: list[Op | Sync] = attrs.field(factory=list)
    nodes: list[bytes | None] = attrs.field(factory=list)
    names: dict[str, int] = attrs.field(factory=dict)

    def new_node(self, content: bytes | None) -> int:
        """A number for a file or folder."""
        self.nodes.append(content)
        return len(self.nodes) - 1


def records(log: bytes) -> Iterator[tuple[str, int, int, str, str, bytes]]:
    """Every record of a log: operation, handle, offset, two paths, data."""
    at = 0
    while at < len(log):
        end = log.index(b"\n", at)
        op, handle, offset, first, second, size = log[at:end].decode("ascii").split()
        at = end + 1
        cuts = list(itertools.accumulate((at, int(first), int(second), int(size))))
        path, other, data = (log[a:b] for a, b in itertools.pairwise(cuts))
        at = cuts[-1]
        yield op, int(handle), int(offset), path.decode(), other.decode(), data


def history_of(before: Mapping[str, bytes | None], log: bytes, folder: Path) -> History:
    """Turn a log into steps; `before` is the disk when it was begun, as `read_disk` gives it."""
    made = History()
    names: dict[str, int] = {"": made.new_node(None)}
    for path, content in before.items():
        names[path] = made.new_node(content)
    made.names = dict(names)
    handles: dict[int, int] = {}
    for op, handle, offset, full, other_full, data in records(log):
        if op == "mark":
            made.steps.append(Op(kind="mark", path=full))
            continue
        path, other = (full.removeprefix(f"{folder}").lstrip("/"), other_full.removeprefix(f"{folder}").lstrip("/"))
        _step(made, names, handles, (op, handle, offset, path, other, data))
    return made


def _step(
    made: History, names: dict[str, int], handles: dict[int, int], record: tuple[str, int, int, str, str, bytes]
) -> None:
    op, handle, offset, path, other, data = record
    if op in {"create", "mkdir"}:
        _name(made, names, path, made.new_node(b"" if op == "create" else None))
    elif op in {"unlink", "rmdir"}:
        _name(made, names, path, -1)
    elif op == "link":
        _name(made, names, other, names[path])
    elif op == "rename":
        _name(made, names, other, names[path], instead_of=path)
    if op in {"create", "open"}:
        handles[handle] = names[path]
    node = handles.get(handle, -1)
    if op == "sync":
        made.steps.append(Sync(node))
    elif op == "write":
        made.steps.append(Op(kind="data", node=node, flushed_by=node, place=offset, data=data))
    elif op == "truncate" or (op == "open" and offset):
        made.steps.append(Op(kind="size", node=node, flushed_by=node, place=offset if op == "truncate" else 0))


def _name(made: History, names: dict[str, int], path: str, node: int, *, instead_of: str = "") -> None:
    """Give or take a name. A rename gives one and takes one at once: both are kept, or none."""
    folder = names[_parent(path)]
    made.steps.append(Op(kind="entry", node=node, flushed_by=folder, path=path, data=instead_of.encode("utf-8")))
    names.pop(instead_of or path, None)
    if node >= 0:
        names[path] = node


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def pending(history: History, until: int, *, is_flushing: bool = True) -> list[int]:
    """Numbers of the steps before `until` that no flush before it has made last."""
    open_steps: list[int] = []
    for number, step in enumerate(history.steps[:until]):
        if isinstance(step, Sync):
            if is_flushing:
                kept = (n for n in open_steps if _op(history, n).flushed_by != step.node)
                open_steps = list(kept)
        elif step.kind != "mark":
            open_steps.append(number)
    return open_steps


def _op(history: History, number: int) -> Op:
    step = history.steps[number]
    if isinstance(step, Sync):
        raise TypeError("a flush changes nothing")
    return step


def marks(history: History, until: int) -> list[str]:
    """What was told before a step."""
    return [step.path for step in history.steps[:until] if isinstance(step, Op) and step.kind == "mark"]


def disk_at(history: History, until: int, lost: frozenset[int], torn: frozenset[int] = frozenset()) -> Disk:
    """What the disk holds if the steps before `until` were kept but for `lost`; of `torn` ones half was."""
    contents = {n: bytearray(c) for n, c in enumerate(history.nodes) if c is not None}
    names = dict(history.names)
    for number, step in enumerate(history.steps[:until]):
        if isinstance(step, Sync) or step.kind == "mark" or number in lost:
            continue
        if step.kind == "entry":
            if step.data:
                names.pop(step.data.decode("utf-8"), None)
            if step.node < 0:
                names.pop(step.path, None)
            else:
                names[step.path] = step.node
        else:
            _change(contents[step.node], step, is_torn=number in torn)
    return _reachable(history, contents, names)


def _change(content: bytearray, step: Op, *, is_torn: bool) -> None:
    if step.kind == "size":
        content[step.place :] = bytes(max(0, step.place - len(content)))
        return
    data = step.data[: len(step.data) // 2] if is_torn else step.data
    content.extend(bytes(max(0, step.place - len(content))))
    content[step.place : step.place + len(data)] = data


def _reachable(history: History, contents: Mapping[int, bytearray], names: Mapping[str, int]) -> Disk:
    """Names whose folders have names."""
    disk: Disk = {}
    for path in sorted(names, key=lambda p: p.count("/")):
        parent = _parent(path)
        if path and (not parent or parent in disk):
            node = names[path]
            disk[path] = None if history.nodes[node] is None else bytes(contents[node])
    return disk


def read_disk(folder: Path) -> Disk:
    """Everything below a folder."""
    found = sorted(folder.rglob("*"))
    return {p.relative_to(folder).as_posix(): None if p.is_dir() else p.read_bytes() for p in found}


def write_disk(disk: Mapping[str, bytes | None], folder: Path) -> None:
    """Make a folder that holds just that."""
    folder.mkdir()
    for path, content in disk.items():
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)
