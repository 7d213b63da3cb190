"""Tar: written one way, read without trust."""

from __future__ import annotations

import io
import subprocess
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.bundle.archive import Limits, read_tar, write_tar
from coordination.bundle.refusals import RefusedError

FILES = {"manifest.json": b"{}", "program/all.json": b"x" * 513, "selftest/all.json": b""}
NAMES = st.from_regex(r"[a-z0-9_][a-z0-9._-]{0,9}(/[a-z0-9_][a-z0-9._-]{0,9}){0,3}", fullmatch=True)


def refused(data, limits=None):
    with pytest.raises(RefusedError) as caught:
        read_tar(data, limits)
    return caught.value.refused


def member(name, data=b"", **attributes):
    """One entry as Python's own tar writer makes it."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)


END = bytes(1024)


@settings(max_examples=60)
@given(st.dictionaries(NAMES, st.binary(max_size=1500), max_size=6))
def test_what_is_written_is_read(files):
    assert read_tar(write_tar(files)) == files


def test_it_is_the_tar_that_everyone_else_reads():
    with tarfile.open(fileobj=io.BytesIO(write_tar(FILES))) as archive:
        assert archive.getnames() == sorted(FILES)
        for info in archive:
            member = archive.extractfile(info)
            assert member is not None
            assert member.read() == FILES[info.name]
            assert (info.mtime, info.uid, info.gid, info.mode) == (0, 0, 0, 0o644)


def test_headers_are_those_of_pythons_own_writer():
    assert write_tar({"a": b"data"}) == member("a", b"data") + END


def test_the_order_of_insertion_is_forgotten():
    assert write_tar(dict(reversed(FILES.items()))) == write_tar(FILES)


@pytest.mark.parametrize(
    "name", ["/a", "../a", "a/../b", "a//b", "A", "a b", "", "a/", "x" * 101, "é", ".hidden"]
)
def test_a_name_we_would_not_read_is_not_written(name):
    with pytest.raises(ValueError, match="cannot be a name"):
        write_tar({name: b""})


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(member("../etc/passwd", b"x") + END, "archive_traversal", id="up and away"),
        pytest.param(member("/etc/passwd", b"x") + END, "archive_traversal", id="absolute"),
        pytest.param(member("a/../../b", b"x") + END, "archive_traversal", id="up in the middle"),
        pytest.param(member("a\\..\\b", b"x") + END, "archive_traversal", id="backslashes"),
        pytest.param(member("a//b", b"x") + END, "archive_traversal", id="an empty step"),
        pytest.param(member("./a", b"x") + END, "archive_traversal", id="a dot"),
        pytest.param(
            member("a", type=b"2", linkname="/etc/passwd") + END, "archive_link", id="symbolic link"
        ),
        pytest.param(member("a", type=b"1", linkname="b") + END, "archive_link", id="hard link"),
        pytest.param(member("a", type=b"5") + END, "archive_malformed", id="directory"),
        pytest.param(member("a", type=b"3") + END, "archive_malformed", id="device"),
        pytest.param(member("a", type=b"x") + END, "archive_malformed", id="extended header"),
        pytest.param(
            member("a", b"1") + member("a", b"2") + END, "archive_duplicate", id="the same name twice"
        ),
        pytest.param(member("b", b"1") + member("a", b"2") + END, "archive_malformed", id="disorder"),
        pytest.param(member("a", b"1", mtime=1) + END, "archive_malformed", id="a time"),
        pytest.param(member("a", b"1", mode=0o755) + END, "archive_malformed", id="a mode"),
        pytest.param(member("a", b"1", uid=1000) + END, "archive_malformed", id="an owner"),
        pytest.param(member("a", b"1", uname="root") + END, "archive_malformed", id="an owner's name"),
        pytest.param(member("a", b"1"), "archive_malformed", id="no end"),
        pytest.param(member("a", b"1") + END + b"\0" * 512, "archive_malformed", id="a longer end"),
        pytest.param(member("a", b"1") + END + b"x", "archive_malformed", id="something after the end"),
        pytest.param(member("a", b"1") + bytes(512), "archive_malformed", id="half an end"),
        pytest.param(member("a", b"1")[:-1] + b"x" + END, "archive_malformed", id="something in the padding"),
        pytest.param(member("a", b"1" * 600)[:-512], "archive_malformed", id="cut short in the data"),
        pytest.param(member("a", b"1")[:300], "archive_malformed", id="cut short in the header"),
        pytest.param(b"", "archive_malformed", id="nothing at all"),
        pytest.param(b"\x1f\x8b" + bytes(600), "archive_malformed", id="something else"),
    ],
)
def test_a_strangers_archive_is_refused(data, code):
    assert refused(data).code == code


def test_sizes_are_limited_before_anything_is_held():
    assert refused(write_tar(FILES), Limits(archive=100)).code == "too_large"
    assert refused(write_tar(FILES), Limits(file=512)).code == "archive_bomb"
    assert refused(write_tar(FILES), Limits(files=2)).code == "archive_bomb"
    claims_eight_gigabytes = member("a", size=8**11 - 1) + END
    assert refused(claims_eight_gigabytes).code == "archive_bomb"


def test_no_byte_could_have_been_another():
    """Headers, padding, end: a flipped byte is refused, or is the content that the manifest digests."""
    data = write_tar(FILES)
    for at in range(len(data)):
        for flipped in (data[at] ^ 1, data[at] ^ 0x80):
            try:
                read = read_tar(data[:at] + bytes([flipped]) + data[at + 1 :])
            except RefusedError:
                continue
            assert read != FILES
            assert write_tar(read) != data


def test_gnu_tar_lists_it(tmp_path):
    path = tmp_path / "bundle.tar"
    path.write_bytes(write_tar(FILES))
    done = subprocess.run(["tar", "tf", path], capture_output=True, text=True, check=True)
    assert done.stdout.split() == sorted(FILES)
    assert done.stderr == ""
