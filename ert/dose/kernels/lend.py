"""Arrays that nobody counts: no result depends on it, only how long the processor waits.

Each view of an array, and many a call with one, counts its references up and down. That is atomic: it waits until all
that was written before has left the processor, in the middle of loops that write all the time. Who is given an array
need not count: whoever gave it holds it until the call returns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from llvmlite import ir
from numba import types
from numba.core.base import BaseContext
from numba.core.typing.context import Context
from numba.core.typing.templates import Signature
from numba.extending import intrinsic
from numpy.typing import NDArray

Array = TypeVar("Array", bound=NDArray[Any])


def _without_owner(
    _typing: Context, array: types.Array
) -> tuple[Signature, Callable[[BaseContext, ir.IRBuilder, Signature, Sequence[ir.Value]], ir.Value]]:
    """The same array, of which nothing is known that could be counted."""

    def generate(
        context: BaseContext, builder: ir.IRBuilder, _signature: Signature, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        lent = context.make_array(array)(context, builder, arguments[0])  # type: ignore[no-untyped-call]
        lent.meminfo = ir.Constant(lent.meminfo.type, None)
        lent.parent = ir.Constant(lent.parent.type, None)
        return lent._getvalue()

    return array(array), generate


lend = cast("Callable[[Array], Array]", intrinsic(_without_owner))
"""An argument of the function that calls this, uncounted from here on. Of an array made in that function, or of one
that is returned, it would be memory that is given back while it is in use: never do that."""
