"""The state folder on a real disk: a new state is whole or absent, whatever happens."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from coordination.bundle.state_folder import FILES
from subscriber import folder as folders

FIRST = {name: f"first {name}".encode() for name in FILES}


def test_what_is_written_is_read_back(tmp_path):
    assert folders.write(tmp_path, FIRST, label="1") is None
    assert folders.read(tmp_path) == FIRST


def test_files_that_do_not_change_are_carried_over(tmp_path):
    folders.write(tmp_path, FIRST, label="1")
    folders.write(tmp_path, {"pointer.dsse.json": b"second"}, label="2")
    assert folders.read(tmp_path) == {**FIRST, "pointer.dsse.json": b"second"}


def test_a_folder_that_holds_the_files_itself_is_read_just_the_same(tmp_path):
    for name, data in FIRST.items():
        (tmp_path / name).write_bytes(data)
    assert folders.read(tmp_path) == FIRST


def test_old_states_are_pruned_to_the_one_served_and_the_one_before(tmp_path):
    for number in range(6):
        folders.write(tmp_path, {**FIRST, "pointer.dsse.json": b"%d" % number}, label=f"{number:03d}")
    assert sorted(path.name for path in (tmp_path / "states").iterdir()) == ["004", "005"]
    assert folders.read(tmp_path)["pointer.dsse.json"] == b"5"


def test_a_kill_between_writing_and_renaming_leaves_the_old_state_whole(tmp_path):
    folders.write(tmp_path, FIRST, label="1")
    half = tmp_path / "states" / ".new-2"
    half.mkdir()
    (half / "root.json").write_bytes(b"ha")
    assert folders.read(tmp_path) == FIRST
    assert folders.write(tmp_path, {"root.json": b"third"}, label="3") is None
    assert not half.exists()


def test_an_empty_folder_reads_as_nothing(tmp_path):
    assert folders.read(tmp_path) == {}
    assert folders.read(tmp_path / "absent") == {}


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 64 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True
        ).returncode
    )
    if not mounted:
        pytest.skip("needs the right to mount a small tmpfs")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_refuses_the_new_state_and_keeps_the_old(small_disk):
    assert folders.write(small_disk, FIRST, label="1") is None
    refused = folders.write(small_disk, {**FIRST, "bundle.tar": b"x" * 100_000}, label="2")
    assert refused is not None
    assert refused.code == "persist_failed"
    assert "No space left" in refused.message
    assert folders.read(small_disk) == FIRST
    assert [path.name for path in (small_disk / "states").iterdir()] == ["1"]


def test_a_folder_that_may_not_be_written_is_refused_not_raised(tmp_path):
    place = tmp_path / "file"
    place.write_bytes(b"in the way")
    refused = folders.write(place, FIRST, label="1")
    assert refused is not None
    assert refused.code == "persist_failed"


def test_the_newest_state_is_readable_while_the_next_is_written(tmp_path):
    folders.write(tmp_path, FIRST, label="1")
    before = (tmp_path / "current").resolve()
    folders.write(tmp_path, {"root.json": b"2"}, label="2")
    assert before.exists(), "a reader that opened the old state finishes reading it"
    shutil.rmtree(before)
    assert folders.read(tmp_path)["root.json"] == b"2"
