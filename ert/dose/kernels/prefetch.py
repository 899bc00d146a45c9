"""Ask for memory before it is needed: no result depends on it, only how long the processor waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.base import BaseContext
from numba.core.typing.context import Context
from numba.core.typing.templates import Signature
from numba.extending import intrinsic
from numpy.typing import NDArray

Numbers = NDArray[Any]
_LINE = np.uint64(16)
"""Floats of 4 bytes in a line of the caches."""
_READ, _KEEP, _DATA = 0, 3, 1
"""What the processor is told: to be read, soon and more than once, data."""


def _one_number(
    _typing: Context, sums: types.Array, _place: types.Type
) -> tuple[Signature, Callable[[BaseContext, ir.IRBuilder, Signature, Sequence[ir.Value]], ir.Value]]:
    """LLVM's `prefetch` of one number of a contiguous array; the place counts in its memory."""

    def generate(
        context: BaseContext, builder: ir.IRBuilder, _signature: Signature, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        data = context.make_array(sums)(context, builder, arguments[0]).data  # type: ignore[no-untyped-call]
        where = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        takes = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        ask = builder.module.declare_intrinsic("llvm.prefetch", [byte], takes)
        builder.call(ask, [where, flag(_READ), flag(_KEEP), flag(_DATA)])
        return ir.Constant(byte, None)  # nothing

    return types.void(sums, types.uint64), generate


ask_for = cast("Callable[[Numbers, int], None]", intrinsic(_one_number))
"""Ask for the line of a contiguous array that holds one of its numbers."""


@njit(cache=True, nogil=True, error_model="numpy")
def ask_ahead(source: Numbers, begin: int, count: int) -> None:
    """Ask for so many floats that are read next: they come while others are worked on. They need not be there."""
    for place in range(np.uint64(begin), np.uint64(begin + count), _LINE):
        ask_for(source, place)
