"""What a terminal gets of names that came from files; and what is said when the output has no room."""

import subprocess
import sys
from pathlib import Path

import pytest

from ert.cli.output import print_error, print_line, print_table

CLEAR, TURN = "\x1b[2J\x1b[1;31m", "\u202e"


@pytest.mark.parametrize("evil", [CLEAR, TURN, "\x9b2J", "\x07", "\r", "\x00"])
def test_a_name_commands_no_terminal_and_turns_nothing(capsys, evil):
    print_line(f"DOE{evil}, Jane")
    print_error(f"DOE{evil}, Jane")
    print_table("1 patients", ("Patient", "Number"), [(f"DOE{evil}, Jane", "4711")])
    told = capsys.readouterr()
    for text in (told.out, told.err):
        assert not set(text) & set("\x1b\x9b\x07\r\x00\u202e")
        assert "DOE" in text


def test_a_name_with_the_end_of_a_line_makes_no_row_of_its_own(capsys):
    print_table("1 patients", ("Patient", "Number"), [("DOE\nROE, Jane  4712", "4711")])
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_other_alphabets_and_their_joiners_stay(capsys):
    for name in ("Ångström Žižka", "می\u200cخواهم", "שלום\u200e", "山田^太郎"):
        print_line(name)
        assert capsys.readouterr().out == f"{name}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_without_room_is_told_in_a_sentence_and_is_no_fault_of_the_program():
    command = [sys.executable, "-m", "ert", "--version"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, text=True)
    assert (done.returncode, done.stderr) == (
        1,
        "ert: The output could not be written completely: No space left on device.\n",
    )
