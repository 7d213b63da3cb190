"""Does the log of usage keep every attempt through kills, damage and full disks, and tell of none twice?"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.wire import usage
from gateway.wal import Begun, Journal, JournalInUse, segments
from gateway.wal.facts import encode
from gateway.wal.records import BEGAN, ENDED, PASSED, Record, framed, scan

BUNDLE = "sha256:" + "0" * 64
SEGMENT = 64 * 1024


def request_id(number: int) -> str:
    return f"req_{number:026d}"


def begun(number: int, attempt: int = 1) -> Begun:
    return Begun(
        request_id=request_id(number),
        attempt=attempt,
        tenant="acme",
        key_id="k",
        model="llama-3-8b",
        tier="standard",
        pool="chat-a",
        replica="http://127.0.0.1:8101",
        uncached_input=100,
        cached_input=10,
        bundle=BUNDLE,
        at=1_000_000 + number,
    )


def ended(number: int, attempt: int = 1, output: int = 7) -> usage.Event:
    of = begun(number, attempt)
    return usage.Event(
        request_id=of.request_id,
        attempt=attempt,
        kind="settled",
        outcome="completed",
        counted_by="engine",
        tenant=of.tenant,
        key_id=of.key_id,
        model=of.model,
        tier=of.tier,
        pool=of.pool,
        replica=of.replica,
        reservation=None,
        uncached_input=90,
        cached_input=20,
        cache_write=0,
        output=output,
        reasoning=0,
        started_at=of.at,
        ended_at=of.at + 500,
        bundle=BUNDLE,
        spend_nano=12,
    )


def journal(folder: Path, **options: int) -> Journal:
    return Journal(folder, **{"segment_bytes": SEGMENT} | options)


def killed(folder: Path, target: Path) -> Path:
    """What a kill at this instant leaves: the files as they stand, and no lock."""
    target.mkdir()
    for path in folder.iterdir():
        if path.name != "lock":
            (target / path.name).write_bytes(path.read_bytes())
    return target


def everything(log: Journal, most: int = 7) -> list[usage.Event]:
    """All that is still to be sent, acknowledged in small batches."""
    found: list[usage.Event] = []
    while (taken := log.unsent_events(most, 1 << 20)) is not None:
        found += map(usage.decode_event, taken.events)
        log.acknowledge(taken)
    return found


# -- frames --------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=60), max_size=8), st.data())
@settings(max_examples=80, deadline=None)
def test_damage_costs_the_records_it_covers_and_none_after_them(payloads, data):
    frames = [framed(ENDED, payload) for payload in payloads]
    whole = b"".join(frames)
    assert [record.payload for record in scan(whole)] == payloads
    if not whole:
        return
    at = data.draw(st.integers(0, len(whole) - 1))
    broken = bytearray(whole)
    broken[at] ^= data.draw(st.integers(1, 255))
    hit, offset = 0, 0
    for number, frame in enumerate(frames):
        if offset <= at < offset + len(frame):
            hit = number
        offset += len(frame)
    left = [record.payload for record in scan(bytes(broken))]
    assert left == payloads[:hit] + payloads[hit + 1 :]


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=6), st.data())
@settings(max_examples=60, deadline=None)
def test_a_record_cut_short_is_no_record(payloads, data):
    frames = [framed(PASSED, payload) for payload in payloads]
    cut = data.draw(st.integers(0, len(frames[-1]) - 1))
    torn = b"".join(frames[:-1]) + frames[-1][:cut] + bytes(64)
    assert [record.payload for record in scan(torn)] == payloads[:-1]


def test_noise_holds_no_record():
    assert list(scan(b"HWU1" * 50 + bytes(100) + os.urandom(500))) == []


def test_the_same_bytes_of_another_kind_are_damage():
    frame = bytearray(framed(BEGAN, b"x"))
    frame[4] = ENDED
    assert list(scan(bytes(frame))) == []
    assert list(scan(framed(BEGAN, b"x"))) == [Record(BEGAN, b"x", 14)]


# -- an ordinary life ------------------------------------------------------------------------------


def test_what_ended_is_handed_out_once_it_is_synced_and_until_it_is_acknowledged(tmp_path):
    log = journal(tmp_path)
    assert log.begin(begun(1))
    log.end(ended(1))
    assert log.unsent_events(10, 1 << 20) is None, "not synced: a loss of power could take it back"
    log.tend()
    first, again = log.unsent_events(10, 1 << 20), log.unsent_events(10, 1 << 20)
    assert first == again
    assert first is not None
    assert [usage.decode_event(event) for event in first.events] == [ended(1)]
    assert log.unsent == 1
    log.acknowledge(first)
    assert log.unsent == 0
    assert log.unsent_events(10, 1 << 20) is None


def test_batches_keep_to_both_of_their_limits(tmp_path):
    log = journal(tmp_path)
    for number in range(20):
        log.begin(begun(number))
        log.end(ended(number))
    log.tend()
    few, small = log.unsent_events(3, 1 << 20), log.unsent_events(100, 1500)
    assert few is not None
    assert small is not None
    assert len(few.events) == 3
    assert 1500 <= sum(map(len, small.events)) < 2500
    assert [event.request_id for event in everything(log)] == [request_id(n) for n in range(20)]


def test_a_second_gateway_may_not_write_here(tmp_path):
    log = journal(tmp_path)
    with pytest.raises(JournalInUse, match="another gateway"):
        journal(tmp_path)
    log.close()
    journal(tmp_path).close()


def test_many_segments_are_written_read_and_given_back(tmp_path):
    log = journal(tmp_path)
    for number in range(600):
        assert log.begin(begun(number))
        log.end(ended(number))
        if number % 20 == 0:
            log.tend()
    log.tend()
    assert len(list(tmp_path.glob("*.wal"))) > 5
    assert [event.request_id for event in everything(log, 100)] == [request_id(n) for n in range(600)]
    assert len(list(tmp_path.glob("*.wal"))) <= 3, "the active one and what is in reserve"
    assert not log.unrecorded


def test_a_segment_stays_for_as_long_as_an_attempt_begun_in_it_is_open(tmp_path):
    log = journal(tmp_path / "a")
    log.begin(begun(0))
    for number in range(1, 300):
        log.begin(begun(number))
        log.end(ended(number))
        log.tend()
    everything(log)
    assert len(list((tmp_path / "a").glob("*.wal"))) > 3
    left = journal(killed(tmp_path / "a", tmp_path / "b"))
    left.tend()
    assert [(e.request_id, e.kind) for e in everything(left)] == [(request_id(0), "interrupted")]
    log.end(ended(0))
    log.tend()
    everything(log)
    assert len(list((tmp_path / "a").glob("*.wal"))) <= 3


# -- kills -----------------------------------------------------------------------------------------


def test_an_attempt_open_at_a_kill_is_closed_with_what_was_last_written(tmp_path):
    log = journal(tmp_path / "a")
    for number in (1, 2, 3):
        log.begin(begun(number))
    log.passed(request_id(2), 1, 0, 1_500_000)
    log.passed(request_id(3), 1, 0, 1_500_000)
    log.passed(request_id(3), 1, 512, 2_500_000)
    left = journal(killed(tmp_path / "a", tmp_path / "b"))
    assert left.interrupted == 3
    left.tend()
    told = {event.request_id: event for event in everything(left)}
    assert {event.kind for event in told.values()} == {"interrupted"}
    one, two, three = (told[request_id(number)] for number in (1, 2, 3))
    assert (one.uncached_input, one.output) == (0, 0), "nothing is known to have been done"
    assert (two.uncached_input, two.cached_input, two.output) == (100, 10, 0)
    assert (three.output, three.ended_at, three.spend_nano) == (512, 2_500_000, None)


@given(st.integers(1, 200), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_what_a_kill_left_of_a_record_is_written_over(tmp_path_factory, length, more):
    base = tmp_path_factory.mktemp("torn")
    log = journal(base / "a")
    log.begin(begun(1))
    torn = framed(BEGAN, encode(begun(2)))
    assert length < len(torn)
    copy = killed(base / "a", base / "b")
    log.close()
    with segments.place(copy, 1).open("r+b") as file:
        file.seek(log.position.offset)
        file.write(torn[:length])
    left = journal(copy)
    for number in range(3, 3 + more):
        left.begin(begun(number))
        left.end(ended(number))
    last = journal(killed(copy, base / "c"))
    left.close()
    last.tend()
    told = {event.request_id: event.kind for event in everything(last)}
    last.close()
    assert told == {request_id(1): "interrupted"} | {request_id(n): "settled" for n in range(3, 3 + more)}


def test_a_file_whose_room_a_kill_prevented_is_done_without(tmp_path):
    journal(tmp_path).close()
    segments.place(tmp_path, 7).touch()
    log = journal(tmp_path)
    for number in range(300):
        assert log.begin(begun(number))
        log.end(ended(number))
        log.tend()
    assert len(everything(log)) == 300
    log.close()


def test_a_copy_that_lost_its_room_takes_it_again(tmp_path):
    log = journal(tmp_path / "a")
    log.begin(begun(1))
    copy = killed(tmp_path / "a", tmp_path / "b")
    for path in copy.glob("*.wal"):
        data = path.read_bytes()
        path.unlink()
        with path.open("wb") as file:  # a hole where nothing was written
            file.write(data.rstrip(b"\0"))
            file.truncate(len(data))
    left = journal(copy)
    assert all(path.stat().st_blocks * 512 >= SEGMENT for path in copy.glob("*.wal"))
    left.close()


def test_a_kill_in_recovery_tells_the_same_story(tmp_path):
    log = journal(tmp_path / "a")
    for number in range(5):
        log.begin(begun(number))
    first = journal(killed(tmp_path / "a", tmp_path / "b"))
    second = journal(killed(tmp_path / "b", tmp_path / "c"))
    third = journal(killed(tmp_path / "a", tmp_path / "d"))
    for left in (first, second, third):
        left.tend()
    assert everything(first) == everything(second) == everything(third)
    assert second.interrupted == 0, "they were closed already"


def test_what_was_acknowledged_before_a_restart_is_not_sent_again(tmp_path):
    log = journal(tmp_path / "a")
    for number in range(10):
        log.begin(begun(number))
        log.end(ended(number))
    log.tend()
    taken = log.unsent_events(4, 1 << 20)
    assert taken is not None
    log.acknowledge(taken)
    left = journal(killed(tmp_path / "a", tmp_path / "b"))
    assert left.unsent == 6
    assert [event.request_id for event in everything(left)] == [request_id(n) for n in range(4, 10)]


def test_without_the_note_of_what_was_sent_all_is_sent_again(tmp_path):
    log = journal(tmp_path / "a")
    log.begin(begun(1))
    log.end(ended(1))
    log.tend()
    everything(log)
    place = killed(tmp_path / "a", tmp_path / "b")
    (place / "sent.json").write_bytes(b"{")
    assert everything(journal(place)) == [ended(1)]


STEPS = st.lists(
    st.tuples(st.sampled_from(["begin", "pass", "end", "tend", "send", "kill"]), st.integers(0, 11)),
    max_size=60,
)


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_whatever_happens_each_attempt_is_told_of_once_and_as_it_ended(tmp_path_factory, steps):
    """Begins, ends, sends and kills in any order: the ledger, which knows events by their key, ends with
    one event for each attempt, settled if its end was written and interrupted if it was not."""
    base = tmp_path_factory.mktemp("wal")
    log = journal(base / "0", segment_bytes=20 * 1024)
    lives = 0
    begun_in: dict[int, int] = {}
    settled: set[int] = set()
    ledger: dict[tuple[str, int, str], usage.Event] = {}

    def send(most: int) -> None:
        taken = log.unsent_events(most, 1 << 20)
        if taken is None:
            return
        for event in map(usage.decode_event, taken.events):
            key = (event.request_id, event.attempt, event.kind)
            assert ledger.setdefault(key, event) == event
        log.acknowledge(taken)

    for step, number in steps:
        mine = begun_in.get(number) == lives
        if step == "begin" and number not in begun_in:
            assert log.begin(begun(number))
            begun_in[number] = lives
        elif step == "pass" and mine and number not in settled:
            log.passed(request_id(number), 1, 256, 5)
        elif step == "end" and mine and number not in settled:
            log.end(ended(number))
            settled.add(number)
        elif step == "tend":
            log.tend()
        elif step == "send":
            send(number + 1)
        elif step == "kill":
            lives += 1
            place = killed(base / str(lives - 1), base / str(lives))
            log.close()
            log = journal(place, segment_bytes=20 * 1024)
    lives += 1
    place = killed(base / str(lives - 1), base / str(lives))
    log.close()
    log = journal(place, segment_bytes=20 * 1024)
    log.tend()
    while log.unsent:
        send(5)
    log.close()
    assert Counter((key[0], key[2]) for key in ledger) == Counter(
        (request_id(number), "settled" if number in settled else "interrupted") for number in begun_in
    )


# -- full disks ------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 256 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True
        ).returncode
    )
    if not mounted:
        pytest.skip("needs the right to mount a small tmpfs")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)  # also when the test failed midway


def test_a_full_disk_stops_new_records_and_never_the_end_of_one(small_disk, tmp_path):
    log = journal(small_disk / "wal")
    number = 0
    while log.begin(begun(number)):
        number += 1
        log.tend()
    assert number > 50
    assert "No space left" in log.trouble
    assert not log.has_room()
    for each in range(number):
        log.end(ended(each))
    assert log.lost == 0
    log.tend()
    log.end(ended(number))  # the one without a record: from memory, while the process lives
    assert log.unrecorded == 1
    assert Counter(event.request_id for event in everything(log)) == Counter(
        request_id(each) for each in range(number + 1)
    )
    log.tend()
    assert log.has_room(), "what the ledger took gave its room back"
    assert log.trouble == ""
    log.close()


def test_a_kill_on_a_full_disk_loses_none_that_was_begun(small_disk):
    log = journal(small_disk / "wal")
    number = 0
    while log.begin(begun(number)):
        number += 1
        log.tend()
    log.end(ended(0))
    log.close()
    fill(small_disk)
    left = journal(small_disk / "wal")
    assert left.interrupted == number - 1
    left.tend()
    told = {event.request_id: event.kind for event in everything(left)}
    assert told == {request_id(each): "interrupted" if each else "settled" for each in range(number)}
    left.tend()
    assert left.has_room()
    left.close()


def fill(disk: Path) -> Path:
    """To the last byte."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(1024)):
            pass
    return ballast


def test_a_disk_full_from_the_start_is_served_from_memory(small_disk):
    ballast = fill(small_disk)
    log = journal(small_disk / "wal")
    assert not log.has_room()
    assert not log.begin(begun(1))
    log.end(ended(1))
    assert everything(log) == [ended(1)]
    ballast.unlink()
    log.tend()
    assert log.has_room()
    assert log.begin(begun(2))
    log.close()


def test_the_log_keeps_to_its_limit(tmp_path):
    log = journal(tmp_path, limit_bytes=3 * SEGMENT)
    number = 0
    while log.begin(begun(number)):
        log.end(ended(number))
        log.tend()
        number += 1
    assert sum(path.stat().st_size for path in tmp_path.glob("*.wal")) <= 3 * SEGMENT
    assert not log.has_room()
    everything(log, 1000)
    log.tend()
    assert log.has_room()


# -- damage ----------------------------------------------------------------------------------------


def test_a_damaged_stretch_costs_its_own_records_only(tmp_path):
    log = journal(tmp_path / "a")
    for number in range(30):
        log.begin(begun(number))
        log.end(ended(number))
    place = killed(tmp_path / "a", tmp_path / "b")
    (path, *_) = sorted(place.glob("*.wal"))
    data = bytearray(path.read_bytes())
    at = data.index(request_id(12).encode())
    data[at : at + 900] = bytes(900)
    path.write_bytes(data)
    left = journal(place)
    left.tend()
    told = {event.request_id: event.kind for event in everything(left)}
    assert set(told.values()) <= {"settled", "interrupted"}
    assert set(map(request_id, range(30))) - told.keys() <= {request_id(12), request_id(13)}
    assert sum(kind == "settled" for kind in told.values()) >= 28
