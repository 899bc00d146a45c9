"""A cached dose comes back with the same bytes, or not at all."""

import shutil
from pathlib import Path

import attrs
import numpy as np
import pytest

from ert.domain.identity import array_digest
from ert.errors import BadTag, DigestMismatch, Unavailable, Untrusted
from ert.storage import cache_entry, dose_content
from ert.storage.cache_entry import EntrySealer
from ert.storage.cache_folder import CacheFolder
from ert.storage.cache_local import LocalDoseCache
from ert.storage.cache_shelf import Shelf
from ert.storage.envelope import unseal
from ert.storage.keys import Vault
from tests.integration.storage import samples

A, B = "aa" * 32, "bb" * 32
SITE = "8b6b2f0e-1111-4000-8000-000000000001"


@pytest.fixture(scope="module")
def vault():
    return Vault.create(SITE)


@pytest.fixture(scope="module")
def sealer(vault):
    return EntrySealer(vault)


@pytest.fixture
def folder(tmp_path):
    return CacheFolder(tmp_path / "doses" / SITE)


@pytest.fixture
def cache(folder, sealer):
    return LocalDoseCache(Shelf(folder, sealer, limit_bytes=10_000_000))


def entry_path(folder: CacheFolder, sealer: EntrySealer, digest: str) -> Path:
    return folder.path / f"{sealer.name(digest)}.ertc"


def test_a_dose_comes_back_byte_for_byte(cache):
    kept = samples.dose(A)
    cache.put(kept)
    found = cache.get(A)
    assert found == kept
    assert found.seconds == kept.seconds
    assert found.gy_per_mu.tobytes() == kept.gy_per_mu.tobytes()
    assert not found.gy_per_mu.flags.writeable
    assert cache.get(B) is None


def test_a_monte_carlo_dose_comes_back_with_its_standard_errors(cache):
    kept = samples.noisy_dose(A)
    cache.put(kept)
    found = cache.get(A)
    assert found == kept
    assert samples.same_statistics(found.statistics, kept.statistics)
    assert not found.statistics.relative_sigma.flags.writeable


def test_an_entry_without_noise_is_one_that_programs_before_monte_carlo_read(sealer, monkeypatch):
    asked = []
    monkeypatch.setattr(
        cache_entry.strictjson, "dump", lambda c, real=cache_entry.strictjson.dump: asked.append(c) or real(c)
    )
    sealer.seal(samples.dose(A))
    assert set(asked[0]["dose"]) == {a.name for a in attrs.fields(type(samples.dose(A)))} - {"gy_per_mu", "statistics"}


def test_standard_errors_of_another_dose_are_not_used(sealer, monkeypatch):
    dose, other = samples.noisy_dose(A), samples.noisy_dose(A, seed=60)
    monkeypatch.setattr(cache_entry, "dose_content", lambda _d, real=cache_entry.dose_content: {
        **real(dose), "statistics": real(other)["statistics"]})  # fmt: skip
    entry = sealer.seal(dose)
    monkeypatch.undo()
    with pytest.raises(DigestMismatch):
        sealer.unseal(A, entry)


@pytest.mark.parametrize("kept", [samples.dose(A), samples.noisy_dose(A)], ids=["without noise", "Monte Carlo"])
def test_every_flipped_byte_is_noticed(sealer, kept):
    entry = bytearray(sealer.seal(kept))
    refused = 0
    for place in range(len(entry)):
        entry[place] ^= 1 << (place % 8)
        with pytest.raises(Untrusted):
            sealer.unseal(A, bytes(entry))
        entry[place] ^= 1 << (place % 8)
        refused += 1
    assert refused == len(entry) > 1000
    assert sealer.unseal(A, bytes(entry)) == kept


def test_every_truncation_and_anything_appended_is_noticed(sealer):
    entry = sealer.seal(samples.dose(A))
    for length in range(len(entry)):
        with pytest.raises(Untrusted):
            sealer.unseal(A, entry[:length])
    with pytest.raises(Untrusted):
        sealer.unseal(A, entry + b"\0")


def test_an_entry_of_another_request_site_or_key_is_not_opened(vault, sealer):
    entry = sealer.seal(samples.dose(A))
    with pytest.raises(BadTag):
        sealer.unseal(B, entry)
    with pytest.raises(BadTag):
        EntrySealer(Vault.create(SITE)).unseal(A, entry)  # the same site, other keys
    same_keys = {purpose: bytes(key) for purpose, key in vault._keys.items()}
    other_site = Vault(store_id="other", generation=1, master_key=vault.master_key, purpose_keys=same_keys)
    with pytest.raises(BadTag):
        EntrySealer(other_site).unseal(A, entry)
    assert EntrySealer(other_site).name(A) != sealer.name(A)


@pytest.mark.parametrize("spoiled", ["values", "request"])
def test_an_authentic_entry_that_lies_is_not_used(sealer, monkeypatch, spoiled):
    dose = samples.dose(A)
    if spoiled == "values":
        monkeypatch.setattr(cache_entry, "array_digest", lambda values: array_digest(values + 1))
        entry = sealer.seal(dose)
        monkeypatch.undo()
    else:  # sealed as the answer to A, says inside that it answers B
        monkeypatch.setattr(sealer, "_context", lambda _digest, make=sealer._context: make(A))
        entry = sealer.seal(attrs.evolve(dose, request_digest=B))
        monkeypatch.undo()
    with pytest.raises(DigestMismatch):
        sealer.unseal(A, entry)


def test_an_entry_whose_values_do_not_fit_its_grid_is_not_used(sealer, monkeypatch):
    dose = samples.dose(A)
    real = dose_content.documents.to_content

    def other_grid(value, *, omit=()):
        return real(attrs.evolve(value, grid=attrs.evolve(value.grid, shape_zyx=(15, 12, 7)),
                                 gy_per_mu=np.zeros((15, 12, 7), np.float32)), omit=omit)  # fmt: skip

    monkeypatch.setattr(dose_content.documents, "to_content", other_grid)
    entry = sealer.seal(dose)
    with pytest.raises(BadTag):
        sealer.unseal(A, entry)


def test_keys_are_forgotten(vault):
    sealer = EntrySealer(vault)
    entry = sealer.seal(samples.dose(A))
    sealer.close()
    with pytest.raises(Unavailable):
        sealer.unseal(A, entry)


def damage(path: Path, how: str, other: Path) -> None:
    if how == "flip":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "swap":
        shutil.copyfile(other, path)
    elif how == "link":
        path.unlink()
        path.symlink_to(other)
    else:
        path.write_bytes(b"\0" * 10_000_001)


@pytest.mark.parametrize("how", ["flip", "cut", "empty", "swap", "link", "huge"])
def test_a_damaged_entry_is_a_miss_is_removed_and_is_replaced(cache, folder, sealer, how):
    first, second = samples.dose(A, seed=1), samples.dose(B, seed=2)
    cache.put(first)
    cache.put(second)
    damage(entry_path(folder, sealer, A), how, entry_path(folder, sealer, B))
    assert cache.get(A) is None
    assert [file.path for file in folder.files()] == [entry_path(folder, sealer, B)]
    cache.put(first)
    assert cache.get(A) == first
    assert cache.get(B) == second


def test_names_and_bytes_say_nothing(cache, folder, sealer):
    warning = f"{samples.CANARY} 4711-MRN 19480229 1948-02-29"
    cache.put(attrs.evolve(samples.dose(A), warnings=(warning,)))
    (file,) = folder.files()
    everything = file.path.read_bytes() + str(file.path).encode()
    for word in (samples.CANARY, "4711-MRN", "19480229", "1948-02-29", A, A[:16], "pencil beam"):
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            assert word.encode(encoding) not in everything
    assert bytes.fromhex(A) not in everything
    with file.path.open("rb") as source:
        header, pieces = unseal(source, file_bytes=file.size_bytes, context=sealer._context(A), kek_of=sealer._key_of)
        packed = b"".join(pieces)
    assert len(packed) > 1000
    assert not any(packed[at : at + 8] in everything for at in range(0, len(packed) - 8, 8))  # nothing lies in clear
    assert header.length > len(packed) // 2
    again = sealer.unseal(A, file.path.read_bytes())
    assert again.warnings == (warning,)  # it was in there
