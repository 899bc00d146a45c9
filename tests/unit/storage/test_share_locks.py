"""Mounts that are known not to lock, and a watch that only a living owner of a free lock can alarm."""

from pathlib import Path

import pytest

from ert.errors import InvalidSite, Refused
from ert.storage import share_locks
from ert.storage.share_locks import LockWatch, mount_without_locks
from tests.integration.storage import samples

MOUNTS = r"""/dev/sda1 / ext4 rw,relatime 0 0
server:/export /clinic nfs4 rw,vers=4.1,hard,local_lock=none 0 0
server:/old /old nfs rw,vers=3,nolock 0 0
//server/share /smb cifs rw,vers=3.1.1,nobrl 0 0
//server/share /smb/good cifs rw,vers=3.1.1 0 0
C:\134 /mnt/wsl\040drive 9p rw,noatime,aname=drvfs;path=C:\134;uid=1000,cache=5 0 0
host /virtual 9p rw,trans=virtio 0 0
you@host: /ssh fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("root", "found"),
    [
        ("/home/site", ""),
        ("/clinic/site", ""),
        ("/old/site", "nfs nolock"),
        ("/smb/site", "cifs nobrl"),
        ("/smb/good/site", ""),
        ("/smbx/site", ""),
        ("/mnt/wsl drive/site", "9p"),
        ("/virtual/site", ""),
        ("/ssh/site", "fuse.sshfs"),
    ],
)
def test_the_mount_a_folder_lies_on_decides(root, found):
    assert mount_without_locks(Path(root), MOUNTS) == found


def test_no_site_is_made_and_none_is_written_on_such_a_mount(tmp_path, monkeypatch):
    root = samples.copied_site(tmp_path / "site")
    table = tmp_path / "mounts"
    table.write_text(f"{MOUNTS}server:/x {tmp_path} nfs rw,nolock 0 0\n", encoding="utf-8")
    monkeypatch.setattr(share_locks, "MOUNTS", table)
    with pytest.raises(InvalidSite, match="nfs nolock, which does not lock"):
        samples.make_site(tmp_path / "new")
    site = samples.open_site(root)
    assert site.read_only_reason.endswith("(It is mounted as nfs nolock.)")
    with pytest.raises(Refused, match="does not lock"):
        samples.import_one(site)
    site.close()


def test_an_ended_program_is_no_broken_lock():
    watch = LockWatch()
    assert [watch.saw_free("a", 7) for _ in range(4)] == [0, 1, 2, 3]
    assert not watch.is_broken


def test_a_free_lock_whose_owner_beats_on_is_one():
    watch = LockWatch()
    watch.saw_free("a", 7)
    watch.saw_free("b", 1)
    assert not watch.is_broken
    watch.saw_free("a", 8)
    assert watch.is_broken


def test_a_lock_that_was_held_in_between_is_judged_anew():
    watch = LockWatch()
    watch.saw_free("a", 7)
    watch.forget("a")
    watch.saw_free("a", 9)
    assert not watch.is_broken
