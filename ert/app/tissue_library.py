"""CT curves and materials of an opened site: what may be chosen, and how a plan's choice stands today."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Protocol, TypeVar

import attrs

from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.domain.ct_curve import SiteCtCurve, check_site_curve
from ert.domain.image import CtCurve, Material
from ert.domain.library import LibraryEntry, LibraryState, SiteMaterial, check_material
from ert.domain.materials import default_ct_curve, material_library
from ert.errors import NotFound, Refused

R = TypeVar("R")
Curves = tuple[LibraryEntry[SiteCtCurve], ...]
Materials = tuple[LibraryEntry[SiteMaterial], ...]


class Standing(enum.StrEnum):
    """How the curve or material that a plan keeps stands to what the site has now."""

    CURRENT = "current"
    OLDER = "older"  # the site has a newer version with other values
    WITHDRAWN = "withdrawn"
    DEFAULT = "default"  # shipped, of no particular scanner
    UNKNOWN = "unknown"  # none of this site's


@attrs.frozen(kw_only=True)
class CurveStanding:
    """Standing of a plan's curve: the revision it was made with, and the newest."""

    standing: Standing
    used: LibraryEntry[SiteCtCurve] | None = None
    newest: LibraryEntry[SiteCtCurve] | None = None


class Run(Protocol):
    """Runs a function where the store may be used."""

    def __call__(self, fn: Callable[[], R], /) -> R:
        """What the function returns."""


def directly(fn: Callable[[], R], /) -> R:
    """`Run` for the thread that opened the store."""
    return fn()


@guarded
class TissueLibrary:
    """What the site keeps, read once and after every change.

    Parameters
    ----------
    store : SiteStore
    run : Run
        Where calls to the store run: the database lane, or `directly`.
    """

    def __init__(self, store: SiteStore, run: Run) -> None:
        self._store, self._run = store, run
        self._curves: tuple[Curves, ...] = ()
        self._materials: tuple[Materials, ...] = ()
        self._read()

    def refresh(self) -> None:
        """Read everything again."""
        self._read()

    def _read(self) -> None:
        store = self._store
        self._curves, self._materials = self._run(lambda: (store.ct_curves.history(), store.materials.history()))

    # ---- CT curves -----------------------------------------------------------------------------------------------

    @property
    def curves(self) -> Curves:
        """The newest revision of every curve, withdrawn ones too."""
        return tuple(history[0] for history in self._curves)

    @property
    def curves_in_use(self) -> Curves:
        """Those that may be chosen."""
        return tuple(entry for entry in self.curves if entry.is_in_use)

    def curve_named(self, name: str) -> LibraryEntry[SiteCtCurve]:
        """The newest revision of a curve; `NotFound` if the site has none of that name."""
        for entry in self.curves:
            if entry.value.name.casefold() == name.strip().casefold():
                return entry
        known = ", ".join(entry.value.name for entry in self.curves) or "none"
        raise NotFound(f"This site has no CT curve '{name}'.", hint=f"It has: {known}.")

    def curve_history(self, curve_id: str) -> Curves:
        """All revisions of a curve, newest first."""
        for history in self._curves:
            if history[0].value.id == curve_id:
                return history
        raise NotFound("This site has no such CT curve.")

    def starting_curve(self) -> CtCurve:
        """The curve of a new plan: the site's, if it has exactly one in use, else the shipped one (with a warning)."""
        in_use = self.curves_in_use
        return in_use[0].value.curve if len(in_use) == 1 else default_ct_curve()

    def standing_of(self, curve: CtCurve) -> CurveStanding:
        """How the curve that a plan keeps stands; told by its name and digest."""
        for history in self._curves:
            same = [e for e in history if e.value.name == curve.name and e.value.curve.digest == curve.digest]
            if not same:
                continue
            newest = history[0]
            standing = Standing.CURRENT if newest.value.curve.digest == curve.digest else Standing.OLDER
            if not newest.is_in_use:
                standing = Standing.WITHDRAWN
            return CurveStanding(standing=standing, used=same[0], newest=newest)
        is_default = curve.digest == default_ct_curve().digest
        return CurveStanding(standing=Standing.DEFAULT if is_default else Standing.UNKNOWN)

    def save_curve(self, curve: SiteCtCurve, *, base_revision: int) -> LibraryEntry[SiteCtCurve]:
        """Store a new curve (``base_revision`` 0) or the next version of one.

        Raises
        ------
        Refused
            If the curve is not plausible (`check_site_curve`), its name is taken or a shipped curve's.
        StaleRevision
            If somebody else saved it in the meantime.
        """
        check_site_curve(curve)
        if curve.name.casefold() == default_ct_curve().name.casefold():
            raise Refused(f"'{curve.name}' is the curve ERT comes with.", hint="Choose a name that tells the scanner.")
        store = self._store
        saved = self._run(lambda: store.ct_curves.save(curve, base_revision=base_revision))
        self.refresh()
        return saved

    def withdraw_curve(self, curve_id: str, reason: str) -> LibraryEntry[SiteCtCurve]:
        """Keep a curve from being chosen; plans made with it keep it and are warned of.

        Raises
        ------
        Refused
            If no reason is given, or it is withdrawn already.
        """
        newest = self.curve_history(curve_id)[0]
        _check_withdrawal(newest.is_in_use, reason, f"CT curve '{newest.value.name}'")
        store = self._store
        saved = self._run(
            lambda: store.ct_curves.save(
                newest.value, base_revision=newest.revision, state=LibraryState.WITHDRAWN, reason=reason
            ),
        )
        self.refresh()
        return saved

    # ---- materials -----------------------------------------------------------------------------------------------

    @property
    def materials(self) -> Materials:
        """The newest revision of every material the site defined, withdrawn ones too."""
        return tuple(history[0] for history in self._materials)

    def material_choices(self) -> tuple[Material, ...]:
        """What a structure may be taken to be: the shipped materials, then the site's own in use."""
        own = (entry.value.material for entry in self.materials if entry.is_in_use)
        return (*material_library().values(), *own)

    def material_standing(self, material: Material) -> Standing:
        """How the material that a plan's override keeps stands; told by its name and values."""
        if material_library().get(material.name) == material:
            return Standing.DEFAULT
        for history in self._materials:
            if any(entry.value.material == material for entry in history):
                newest = history[0]
                if not newest.is_in_use:
                    return Standing.WITHDRAWN
                return Standing.CURRENT if newest.value.material == material else Standing.OLDER
        return Standing.UNKNOWN

    def save_material(self, material: SiteMaterial, *, base_revision: int) -> LibraryEntry[SiteMaterial]:
        """Store a material of the site, or its next version; raises as `check_material` and `save_curve` do."""
        check_material(material.material)
        store = self._store
        saved = self._run(lambda: store.materials.save(material, base_revision=base_revision))
        self.refresh()
        return saved

    def withdraw_material(self, material_id: str, reason: str) -> LibraryEntry[SiteMaterial]:
        """Keep a material from being chosen; raises as `withdraw_curve` does."""
        newest = next((entry for entry in self.materials if entry.value.id == material_id), None)
        if newest is None:
            raise NotFound("This site has no such material.")
        _check_withdrawal(newest.is_in_use, reason, f"Material '{newest.value.name}'")
        store, kept = self._store, newest
        saved = self._run(
            lambda: store.materials.save(
                kept.value, base_revision=kept.revision, state=LibraryState.WITHDRAWN, reason=reason
            ),
        )
        self.refresh()
        return saved


def _check_withdrawal(is_in_use: bool, reason: str, what: str) -> None:  # noqa: FBT001
    if not is_in_use:
        raise Refused(f"{what} is withdrawn already.")
    if not reason.strip():
        raise Refused(f"{what} is withdrawn only with a reason.", hint="Say why it must not be used any more.")
