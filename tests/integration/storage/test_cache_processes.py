"""Several processes on one cache folder, and somebody who damages, swaps, cuts and removes its files meanwhile."""

import multiprocessing
import os
import random

from ert.storage.cache_entry import EntrySealer
from ert.storage.cache_folder import CacheFolder
from ert.storage.cache_local import LocalDoseCache
from ert.storage.cache_shelf import Shelf
from tests.integration.storage import samples
from tests.unit.storage.test_cache_local import SITE, bytes_there, digest, fixed_vault

PROCESSES, OPERATIONS = 6, 300


class Unguarded(EntrySealer):
    """Entries that say what they hold and are believed: nothing binds them to a request, nothing guards a bit."""

    def seal(self, result):
        return f"{int(result.request_digest, 16):08d}".ljust(1200).encode("ascii")

    def unseal(self, request_digest, entry):
        text = entry[:8].decode("ascii", errors="replace")
        return samples.dose(request_digest, seed=int(text) if text.isdecimal() else 0)


def _write_and_read(path, limit_bytes, seed, answers, is_guarded=True):
    """One of several processes: writes, reads, damages and clears; counts wrong answers."""
    rng = random.Random(seed)
    sealer = EntrySealer(fixed_vault()) if is_guarded else Unguarded(fixed_vault())
    cache = LocalDoseCache(Shelf(CacheFolder(path), sealer, limit_bytes=limit_bytes))
    wrong = hits = 0
    for _ in range(OPERATIONS):
        number = rng.randrange(12)
        found = cache.get(digest(number))
        wrong += found is not None and found != samples.dose(digest(number), seed=number)
        hits += found is not None
        if found is None:
            cache.put(samples.dose(digest(number), seed=number))
        vandal = rng.random()
        files = list(path.glob("*.ertc")) if vandal < 0.2 else []
        try:
            if files and vandal < 0.1:
                with rng.choice(files).open("r+b") as file:
                    file.seek(rng.randrange(1000))
                    file.write(b"\xff\x00")
            elif files and vandal < 0.15:
                rng.choice(files).replace(rng.choice(files))
            elif files and vandal < 0.18:
                os.truncate(rng.choice(files), 100)
            elif files:
                rng.choice(files).unlink()
        except FileNotFoundError:
            pass
    answers.put((wrong, hits, cache._trouble))


def _crowd(folder, limit_bytes, *, is_guarded=True):
    """Several processes at once; what each of them told."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    folder.mkdir()
    given = [(folder, limit_bytes, seed, answers, is_guarded) for seed in range(PROCESSES)]
    children = [context.Process(target=_write_and_read, args=arguments) for arguments in given]
    for child in children:
        child.start()
    told = [answers.get(timeout=120) for _ in children]
    for child in children:
        child.join()
    return told


def test_processes_and_vandals_get_no_wrong_dose_and_the_limit_holds(tmp_path):
    entry_bytes = len(EntrySealer(fixed_vault()).seal(samples.dose(digest(0))))
    limit = 8 * entry_bytes
    folder = tmp_path / SITE
    told = _crowd(folder, limit)
    assert [wrong for wrong, _, _ in told] == [0] * PROCESSES
    assert sum(hits for _, hits, _ in told) > 200
    assert [trouble for _, _, trouble in told] == [""] * PROCESSES
    assert bytes_there(folder) <= limit


def test_entries_that_are_believed_give_wrong_doses(tmp_path):
    told = _crowd(tmp_path / SITE, 8 * 1200, is_guarded=False)
    assert sum(wrong for wrong, _, _ in told) > 0
