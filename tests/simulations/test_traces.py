"""What is sent as a trace is read through before it is kept; hostile files are refused and leave nothing."""

from __future__ import annotations

import gzip
import io
import stat
import zipfile

import pytest

from coordination.traces.recorded import Recorded, line, opening
from foundation.actors import SYSTEM
from foundation.http import Conflict, Forbidden, NotFound, Refused
from policies import services as policy
from simulations import selectors, services, store
from simulations.models import Trace
from tests.simulations.conftest import mooncake, start, upload

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


def zipped():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("trace.jsonl", b"\0" * 10_000_000)
    return out.getvalue()


def refused_as(code, data, name="hour.jsonl", **more):
    with pytest.raises(Refused) as refused:
        upload(data, name, **more)
    assert refused.value.code == code
    return refused.value


def kept(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_sound_trace_is_kept_under_its_digest_for_its_owner_alone(dev, traces_folder):
    trace = upload(mooncake(20), "My hour.jsonl")
    path = store.path_of(trace.digest, trace.format)
    assert kept(traces_folder) == [path.name] == [f"{trace.digest[7:]}.jsonl"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(traces_folder.stat().st_mode) == 0o700
    assert (trace.name, trace.format, trace.requests) == ("My hour.jsonl", "mooncake", 20)
    assert (trace.span_us, trace.input_tokens, trace.output_tokens) == (9_500_000, 8000, 400)
    assert path.read_bytes() == mooncake(20)


def test_a_gateway_s_recording_is_traffic_too(dev):
    sent = Recorded(at=5, ended=9, tenant="acme", model="llama", input_tokens=600, output_tokens=3)
    trace = upload(opening(1_000) + line(sent), "yesterday.jsonl")
    assert (trace.format, trace.requests) == ("recording", 1)
    assert start(trace).runs.get().requests == 1


def test_the_same_bytes_are_the_same_trace(dev, traces_folder):
    first, made = services.upload_trace(actor=SYSTEM, environment="dev", name="a", chunks=[mooncake(5)])
    second, again = services.upload_trace(
        actor=SYSTEM, environment="dev", name="b", chunks=[mooncake(2), mooncake(5)[len(mooncake(2)) :]]
    )
    assert (first.pk, made, again) == (second.pk, True, False)
    assert len(kept(traces_folder)) == 1


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (zipped(), "zip"),
        (gzip.compress(b"0" * 10_000_000), "gzip"),
        (b"\x7fELF\0\0\0", "not a text"),
        (b"a,b,c\n1,2,3\n", "neither"),
        (AZURE.encode(), "no request"),
        (b'{"clients": [], "requests": 5}', "clients"),
        (b'{"clients": [{"tenant": "a", "sessions_per_second": 1}], "requests": 99999999999}', "requests"),
        (b"{" * 200_000, "line 1"),
        (b"\xff\xfe{}", "UTF-8"),
    ],
    ids=range(11),
)
def test_what_is_no_trace_is_refused_and_not_kept(dev, traces_folder, data, says):
    refused = refused_as("unreadable_trace", data)
    assert says in refused.detail
    assert kept(traces_folder) == []
    assert not Trace.objects.exists()


def test_every_bad_line_is_told_by_its_number(dev, traces_folder):
    lines = [
        AZURE.strip(),
        "2023-11-16 18:17:03.9799600,10,20",
        "yesterday,10,20",
        "2023-11-16 18:17:04,10",
        "2023-11-16 18:17:02,10,20",
        "2023-11-16 18:17:05,-1,20",
        "2023-11-16 18:17:06,1,20",
    ]
    refused = refused_as("unreadable_trace", "\n".join(lines).encode(), "hour.csv")
    assert [error.pointer for error in refused.errors] == ["/lines/3", "/lines/4", "/lines/5", "/lines/6"]
    assert "before" in refused.errors[2].message
    assert refused.extra["faults"] == 4
    many = refused_as("unreadable_trace", (AZURE + "x,y,z\n" * 1000).encode())
    assert (len(many.errors), many.extra["faults"]) == (50, 1000)


def test_what_is_too_large_is_not_read_to_its_end(dev, traces_folder, settings):
    settings.HEADWAY_TRACE_MB = 1
    read = []

    def endless():
        while True:
            read.append(1)
            yield b"x" * 65536

    with pytest.raises(Refused) as refused:
        services.upload_trace(actor=SYSTEM, environment="dev", name="huge", chunks=endless())
    assert (refused.value.code, refused.value.http_status) == ("trace_too_large", 413)
    assert len(read) == 17
    assert kept(traces_folder) == []


def test_there_is_room_for_so_much_and_no_more(dev, settings):
    settings.HEADWAY_TRACE_MB = settings.HEADWAY_TRACES_MB = 1
    upload(mooncake(3))
    assert refused_as("no_room", mooncake(4)).http_status == 507


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "", ".hidden", "a\0b", "a\nb", "x" * 121, "é"]
)
def test_a_name_is_never_a_path(dev, traces_folder, name):
    assert refused_as("bad_name", mooncake(3), name).errors[0].pointer == "/name"
    assert kept(traces_folder) == []


def test_a_broken_connection_leaves_nothing(dev, traces_folder):
    def broken():
        yield mooncake(3)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        services.upload_trace(actor=SYSTEM, environment="dev", name="a", chunks=broken())
    assert kept(traces_folder) == []


def test_a_digest_is_the_only_way_to_a_file():
    for digest in ("sha256:../../x", "sha256:" + "A" * 64, ""):
        with pytest.raises(ValueError, match="no digest"):
            store.path_of(digest, "mooncake")


@pytest.mark.django_db(transaction=True)
def test_a_removed_trace_s_file_goes_with_its_last_row(world_folder, traces_folder):
    for environment in ("dev", "prod"):
        policy.load_folder(actor=SYSTEM, environment=environment, folder=world_folder)
    mine, theirs = upload(), upload(environment="prod")
    running = start(mine)
    with pytest.raises(Conflict) as refused:
        services.remove_trace(actor=SYSTEM, trace=mine)
    assert refused.value.code == "trace_in_use"
    services.cancel(actor=SYSTEM, simulation=running)
    services.remove_trace(actor=SYSTEM, trace=mine)
    services.remove_trace(actor=SYSTEM, trace=mine)
    assert len(kept(traces_folder)) == 1
    assert list(selectors.traces("dev")) == []
    services.remove_trace(actor=SYSTEM, trace=theirs)
    assert kept(traces_folder) == []
    with pytest.raises(NotFound):
        start(mine)
    assert upload().pk != mine.pk


def test_only_operators_bring_traces_and_take_them_away(dev, viewer, stranger):
    trace = upload()
    for actor in (viewer, stranger):
        with pytest.raises(Forbidden):
            upload(mooncake(4), actor=actor)
        with pytest.raises(Forbidden):
            services.remove_trace(actor=actor, trace=trace)
