"""Exact results kept for the next dose: while a beam is dragged most of what a dose depends on stays what it was.

Nothing here is approximate: what is kept is found again only for the very same inputs, and is what would be computed
from them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Value = TypeVar("Value")
_FANS = 3


class Remembered(Generic[Value]):
    """The last few values of a function of one immutable object and a hashable rest.

    The object is compared by identity: a beam model holds arrays, and reading them takes longer than what is saved.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: list[tuple[object, object, Value]] = []

    def get(self, owner: object, rest: object, make: Callable[[], Value]) -> Value:
        """The value for these inputs, made if it is not kept; what `make` raises is kept by nobody."""
        with self._lock:
            for n, (of, with_, value) in enumerate(self._kept):
                if of is owner and with_ == rest:
                    self._kept.append(self._kept.pop(n))
                    return value
        value = make()
        with self._lock:
            self._kept = [*self._kept, (owner, rest, value)][-self._most :]
        return value


@attrs.define(kw_only=True, eq=False)
class TracedFan:
    """What the rays of one fan found in one patient.

    Attributes
    ----------
    key : bytes of everything the rays depend on but the patient and `is_pencil`.
    is_pencil : bool [y, x], the rays that were followed with their scattering; None: nothing is traced yet.
    depth, variance : float32 [node, y, x] and ends : float32 [2, y, x] of `trace_fan`; without pencils no variance has
        room.
    dose : float32 [node, y, x], room for the dose on the fan: fresh memory takes longer than what is written there.
    """

    key: bytes
    is_pencil: NDArray[np.bool_] | None = None
    depth: Float32 = attrs.field(repr=False)
    variance: Float32 = attrs.field(repr=False)
    ends: Float32 = attrs.field(repr=False)
    dose: Float32 = attrs.field(repr=False)


class TracedFans:
    """The last few fans traced through one patient; a fan that is taken belongs to who took it until it is kept again.

    A cutout decides only which rays are pencils, so that another cutout on the same lattice traces anew only the rays
    that became a pencil or ceased to be one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fans: list[TracedFan] = []

    def take(self, key: bytes) -> TracedFan | None:
        """The fan traced last with this key, if one is kept."""
        with self._lock:
            for n in range(len(self._fans) - 1, -1, -1):
                if self._fans[n].key == key:
                    return self._fans.pop(n)
        return None

    def keep(self, fan: TracedFan) -> None:
        """Keep a fan for the next dose; the one that was not used for longest goes."""
        with self._lock:
            self._fans = [*self._fans, fan][-_FANS:]

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._fans = []
