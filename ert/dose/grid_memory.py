"""Memory for doses on the dose grid: the last that nobody holds any more is used again, with a note of what it holds.

Fresh memory is cleared by the operating system, and most of a dose grid is nothing: to write that anew for each dose of
a beam that is dragged took a twentieth of it. No dose depends on where it stands.
"""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar

import attrs
import numpy as np
from numpy.typing import NDArray


@attrs.define(eq=False)
class _Memory:
    """values : float32 [z, y, x], zero but in the voxels of each row that `held` tells; held : int32 [z × y, 2]."""

    values: NDArray[np.float32]
    held: NDArray[np.int32]


class GridMemory:
    """An array for one dose. Its memory is free for the next dose when neither this nor any view of `array` is left.

    Attributes
    ----------
    held : int32 [z × y, 2], first and one past the last voxel of each row that may be other than zero; who writes keeps
        it true.
    """

    most_bytes: ClassVar[int] = 1 << 26  # what is larger goes back to the operating system
    _spare: ClassVar[deque[_Memory]] = deque(maxlen=1)  # atomic: memory comes back from whatever thread lets it go

    def __init__(self, shape_zyx: tuple[int, int, int]) -> None:
        self._memory = self._take(shape_zyx)
        self.held = self._memory.held
        self._is_true = False

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {**self._memory.values.__array_interface__, "strides": None}

    def array(self) -> NDArray[np.float32]:
        """The values, float32 [z, y, x]. It holds this object, and each view of it does."""
        return np.asarray(self)

    def is_written(self) -> None:
        """The values are what `held` tells: only then are they given to another dose."""
        self._is_true = True

    @classmethod
    def let_go(cls) -> None:
        """Give spare memory back to the operating system, before a dose that needs much more for long."""
        cls._spare.clear()

    def __del__(self) -> None:
        if getattr(self, "_is_true", False) and self._memory.values.nbytes <= self.most_bytes:
            self._spare.append(self._memory)

    def _take(self, shape_zyx: tuple[int, int, int]) -> _Memory:
        """Spare memory of that shape, or fresh memory."""
        try:
            memory = self._spare.pop()
        except IndexError:
            memory = None
        if memory is not None and memory.values.shape == shape_zyx:
            return memory
        held = np.zeros((shape_zyx[0] * shape_zyx[1], 2), dtype=np.int32)
        return _Memory(np.zeros(shape_zyx, dtype=np.float32), held)
