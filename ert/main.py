"""The composition root: the only module that sees everything. Sets the environment, then hands adapters out."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from ert.app.identity_ports import IdentityClient
    from ert.app.ports import SiteCare, SiteGateway
    from ert.settings import CacheSettings


def prepare_environment() -> None:
    """Where compiled kernels are kept, and one OpenGL path for the off-screen 3D view; both before any import of them.

    Compiled kernels are code: they lie in a folder only this user can write to, one for each state of their sources.
    Linear algebra keeps to one thread: with more, a fit's last digits, and so its course, depend on how many there are.
    """
    folder = kernels_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ.setdefault("NUMBA_CACHE_DIR", str(folder))
    os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold keys and patient data in clear


def kernels_folder() -> Path:
    """Where this user's compiled kernels lie: one folder for each state of the sources of all of them.

    Numba's cache does not notice a changed kernel that another file calls.
    """
    digest = hashlib.sha256()
    for part in ("dose", "geometry"):
        for path in sorted((Path(__file__).parent / part / "kernels").glob("*.py")):
            digest.update(path.read_bytes())
    return Path(platformdirs.user_cache_dir("ert", appauthor=False)) / "kernels" / digest.hexdigest()[:16]


def cache_settings() -> CacheSettings:
    """Where doses are cached; nowhere if the settings cannot be used: a site opens all the same."""
    from ert.errors import Refused
    from ert.settings import CacheSettings, load_settings

    try:
        return load_settings().cache
    except Refused as error:
        logging.getLogger(__name__).warning("the settings cannot be used; no dose is cached", exc_info=error)
        return CacheSettings(is_on=False)


def _anchor_folder() -> Path:
    """Where this workstation remembers the sites it saw."""
    return Path(platformdirs.user_state_dir("ert", appauthor=False)) / "sites"


def _draft_folder() -> Path:
    """Where this workstation keeps unsaved edits."""
    return Path(platformdirs.user_state_dir("ert", appauthor=False)) / "drafts"


class Program:
    """What the commands need from here; nothing is imported before it is asked for."""

    def gateway(self) -> SiteGateway:
        """What makes and opens sites."""
        from ert.storage.assembly import SiteOptions
        from ert.storage.sites import Sites

        options = SiteOptions(
            anchor_folder=_anchor_folder(), draft_folder=_draft_folder(), cache_settings=cache_settings
        )
        return Sites(options)

    def care(self) -> SiteCare:
        """What checks and restores sites."""
        from ert.storage.assembly import SiteOptions
        from ert.storage.maintenance import SiteCare

        return SiteCare(SiteOptions(anchor_folder=_anchor_folder()))

    def identity(self) -> IdentityClient | None:
        """What talks to sign-in providers; None where the packages it takes are not installed."""
        if importlib.util.find_spec("joserfc") is None:
            return None
        from ert.identity.client import OidcClient
        from ert.key_store import OsKeyStore

        return OidcClient(OsKeyStore())

    def run_gui(self, *, site: Path | None) -> int:
        """Open the window."""
        from ert.ui.application import start

        return start(self.gateway(), identity=self.identity(), site=site)

    def run_demo(self, *, out: Path, with_window: bool) -> int:
        """Run the main job on the built-in demo patient, then show it if there is a display."""
        from ert.app.demo import run_demo

        demo = run_demo(self.gateway(), out)
        has_display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
        if with_window and has_display:
            from ert.ui.application import start

            return start(self.gateway(), site=demo.site_path, credentials=demo.credentials, plan_id=demo.plan_id)
        return 0


def main() -> None:
    """Entry point of the command ``ert``."""
    prepare_environment()
    from ert.cli.main import run

    run(Program())


if __name__ == "__main__":
    main()
