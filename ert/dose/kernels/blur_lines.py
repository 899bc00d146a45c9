"""Sums of a symmetric kernel over lines of numbers, written instruction by instruction: a number read serves many sums.

What a compiler makes of a loop reads each number anew for each sum and writes the sum back after four terms; it may
not do otherwise, because it cannot tell that what is read and what is written never meet. So the instructions stand
here themselves. Each sum has its terms in a fixed order, and no processor joins a multiplication with an addition
unless told to: the bytes are the same on all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

Ir = Any
"""A value, type or context of the code that is written: numba and llvmlite publish no types."""
WIDTH = 16
"""Numbers worked on at once; so many are read and written behind the end of a line, less one."""
_INDEX, _LANE = ir.IntType(64), ir.IntType(32)
_VECTOR = ir.VectorType(ir.FloatType(), WIDTH)
_TERMS = 4


class _Lines:
    """Code for the sums of some lines, `stride` apart from each other like the terms."""

    def __init__(self, builder: Ir, arrays: tuple[Ir, Ir, Ir], stride: Ir, lines: int) -> None:
        self.builder, self.stride, self.lines = builder, stride, lines
        self.source, self.weights, self.out = arrays
        with builder.goto_entry_block():
            self.sums = [builder.alloca(_VECTOR) for _ in range(lines)]

    def read(self, at: Ir) -> Ir:
        """The numbers from a place on."""
        place = self.builder.bitcast(self.builder.gep(self.source, [at]), _VECTOR.as_pointer())
        return self.builder.load(place, align=4)

    def weight(self, k: Ir) -> Ir:
        """A weight in every lane."""
        none = ir.Constant(_VECTOR, ir.Undefined)
        one = self.builder.insert_element(
            none, self.builder.load(self.builder.gep(self.weights, [k])), ir.Constant(_LANE, 0)
        )
        return self.builder.shuffle_vector(one, none, ir.Constant(ir.VectorType(_LANE, WIDTH), [0] * WIDTH))

    def begin(self, at: Ir) -> None:
        """The middle term."""
        weight = self.weight(_INDEX(0))
        for n, total in enumerate(self.sums):
            here = self.builder.add(at, self.builder.mul(self.stride, _INDEX(n)))
            self.builder.store(self.builder.fmul(weight, self.read(here)), total)

    def add(self, at: Ir, k: Ir, terms: int) -> None:
        """Terms k … k + `terms` − 1, two at a time: x + (w (a + b) + v (c + d))."""
        builder, reads = self.builder, self.lines + terms - 1
        weights = [self.weight(builder.add(k, _INDEX(n))) for n in range(terms)]
        before = builder.sub(at, builder.mul(builder.add(k, _INDEX(terms - 1)), self.stride))
        after = builder.add(at, builder.mul(k, self.stride))
        steps = [builder.mul(self.stride, _INDEX(n)) for n in range(reads)]
        near = [self.read(builder.add(before, step)) for step in steps]
        far = [self.read(builder.add(after, step)) for step in steps]
        for n, total in enumerate(self.sums):
            products = [
                builder.fmul(weights[m], builder.fadd(near[n + terms - 1 - m], far[n + m])) for m in range(terms)
            ]
            pairs = [builder.fadd(*products[m : m + 2]) for m in range(0, terms - 1, 2)] or products
            value = builder.load(total)
            for pair in pairs:
                value = builder.fadd(value, pair)
            builder.store(value, total)

    def end(self, to: Ir) -> None:
        """Write the sums."""
        builder = self.builder
        for n, total in enumerate(self.sums):
            place = builder.gep(self.out, [builder.add(to, builder.mul(self.stride, _INDEX(n)))])
            builder.store(builder.load(total), builder.bitcast(place, _VECTOR.as_pointer()), align=4)


def _sums_of(lines: int, given: tuple[Ir, ...]) -> tuple[Ir, Ir]:
    """Signature of the sums of so many neighbouring lines, and who writes them; `blur_four` says what they are."""
    size = types.intp
    source, weights, out = given[0], given[4], given[6]

    def write(context: Ir, builder: Ir, signature: Ir, values: Ir) -> Ir:
        arrays = tuple(context.make_array(signature.args[n])(context, builder, values[n]).data for n in (0, 4, 6))
        first, count, stride, reach, to = (values[n] for n in (1, 2, 3, 5, 7))
        _write(_Lines(builder, arrays, stride, lines), first, count, reach, to)
        return context.get_dummy_value()

    return types.void(source, size, size, size, weights, size, out, size), write


def _write(lines: _Lines, first: Ir, count: Ir, reach: Ir, to: Ir) -> None:
    """Vector by vector: the middle, four terms at a time, two of those left, one of those left."""
    builder = lines.builder
    fours = builder.udiv(reach, _INDEX(_TERMS))
    done = builder.mul(fours, _INDEX(_TERMS))
    left, after = builder.sub(reach, done), builder.add(done, _INDEX(1))
    vectors = builder.udiv(builder.add(count, _INDEX(WIDTH - 1)), _INDEX(WIDTH))
    with cgutils.for_range(builder, vectors) as vector:
        beyond = builder.mul(vector.index, _INDEX(WIDTH))
        at = builder.add(first, beyond)
        lines.begin(at)
        with cgutils.for_range(builder, fours) as four:
            lines.add(at, builder.add(builder.mul(four.index, _INDEX(_TERMS)), _INDEX(1)), _TERMS)
        with builder.if_then(builder.icmp_unsigned(">=", left, _INDEX(2))):
            lines.add(at, after, 2)
        with builder.if_then(builder.trunc(left, ir.IntType(1))):
            lines.add(at, reach, 1)
        lines.end(builder.add(to, beyond))


def _of_one(
    _context: Ir, source: Ir, first: Ir, count: Ir, stride: Ir, weights: Ir, reach: Ir, out: Ir, to: Ir
) -> tuple[Ir, Ir]:
    return _sums_of(1, (source, first, count, stride, weights, reach, out, to))


def _of_four(
    _context: Ir, source: Ir, first: Ir, count: Ir, stride: Ir, weights: Ir, reach: Ir, out: Ir, to: Ir
) -> tuple[Ir, Ir]:
    return _sums_of(4, (source, first, count, stride, weights, reach, out, to))


blur_four: Callable[..., None] = intrinsic(_of_four)
"""Sums of four neighbouring lines, for kernels: (source, first, count, stride, weights, reach, out, to).

out[to + n·stride + i] = Σ w[k] (source[at − k·stride] + source[at + k·stride]), at = first + n·stride + i, n < 4.
k runs from 0 (once) to `reach`, i to `count` rounded up to a multiple of `WIDTH`: so far must both arrays reach. They
are float32 in one row each. Nothing is checked.
"""
blur_one: Callable[..., None] = intrinsic(_of_one)
"""As `blur_four` for a single line: `stride` lies between its terms."""
