"""Mounts that are known not to lock, and a watch that only a living owner of a free lock can alarm."""

from pathlib import Path

import pytest

from ert.storage.share_locks import LockWatch, mount_without_locks

MOUNTS = r"""/dev/sda1 / ext4 rw,relatime 0 0
server:/export /clinic nfs4 rw,vers=4.1,hard,local_lock=none 0 0
server:/old /old nfs rw,vers=3,nolock 0 0
//server/share /smb cifs rw,vers=3.1.1,nobrl 0 0
//server/share /smb/good cifs rw,vers=3.1.1 0 0
host /mnt/wsl\040drive 9p rw 0 0
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
    ],
)
def test_the_mount_a_folder_lies_on_decides(root, found):
    assert mount_without_locks(Path(root), MOUNTS) == found


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
