"""The machine packages of an opened site: read, added and configured, by one person at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ert.app.dose_service import Models
from ert.app.exclusive import holding
from ert.app.machine_service import configured, refuse_other_geometry
from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.app.tissue_library import Run
from ert.commissioning.package import package_bytes, package_from_bytes
from ert.domain.beam_model import MachinePackage
from ert.domain.machine_configuration import MachineConfiguration


@guarded
class SiteMachines:
    """Part of `SiteSession`.

    Parameters
    ----------
    store : the opened site.
    run : runs a function where the site's database may be used.

    Attributes
    ----------
    models : all packages, as last read.
    """

    def __init__(self, store: SiteStore, run: Run) -> None:
        self._store, self._run = store, run
        self.models = self._read()

    def add(self, package: MachinePackage) -> MachinePackage:
        """Take a package into the site (`SiteSession.add_machine`)."""
        with self._alone(f"adding machine '{package.machine.name}'"):
            return self._add(package)

    def configure(self, package: MachinePackage, configuration: MachineConfiguration) -> MachinePackage:
        """Keep another configuration as the next version of a machine (`SiteSession.configure_machine`)."""
        with self._alone(f"changing the configuration of machine '{package.machine.name}'"):
            return self._add(configured(package, configuration, self.models), replaces=package.digest)

    def _add(self, package: MachinePackage, *, replaces: str = "") -> MachinePackage:
        refuse_other_geometry(package, self.models)
        content, name = package_bytes(package), package.machine.name
        machines = self._store.machines
        self._run(lambda: machines.add(name=name, digest=package.digest, content=content, replaces=replaces))
        self.models = self._read()
        return package

    def _read(self) -> Models:
        return Models([package_from_bytes(b) for b in self._run(self._store.machines.packages)])

    @contextlib.contextmanager
    def _alone(self, doing: str) -> Iterator[None]:
        """Nobody else changes machines or releases meanwhile; what colleagues did until now is read first."""
        locks = self._store.locks
        with holding(locks, self._run, lambda: locks.take_machines(doing=doing)):
            self.models = self._read()
            yield
