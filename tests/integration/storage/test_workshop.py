"""Where rigs make their scenes: a folder that is given is made, and what was made in it goes again."""

from tests.integration.storage.workshop import workshop


def test_a_folder_that_is_not_there_is_made(tmp_path):
    given = tmp_path / "not yet" / "there"
    with workshop(given) as made:
        assert made.parent == given
        assert made.is_dir()
    assert list(given.iterdir()) == []
