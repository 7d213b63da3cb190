"""Does a worker have the very policy its parent has, by however many pieces it came?"""

from __future__ import annotations

import socket
import threading

import pytest
from msgspec.structs import replace as changed

from coordination.bundle.apikeys import mint
from coordination.bundle.directory import new_entry
from coordination.program.index import load
from gateway.activation import Active
from gateway.workers.policy import PIECE, Receiver, packed, send
from tests.gateway import policy


def active(tenants: int, keys: int) -> Active:
    records = policy.records(["http://127.0.0.1:1"])
    many = tuple(policy.tenant(f"t{number:05}", ("standard",)) for number in range(tenants))
    given = {}
    for number in range(keys):
        secret, key_id = mint(number.to_bytes(39, "big"))
        given[key_id] = new_entry(secret, tenant="acme", scopes=("inference",))
    directory = changed(policy.directory(), keys=given)
    program = load(changed(records, tenants=(*records.tenants, *many)))
    return Active("sha256:" + "0" * 64, "dev", program, directory, stale=False, pointer=None)


def passed(*frames: list[bytes]) -> list[tuple[int, Active]]:
    """What comes out at the other end."""
    ours, theirs = socket.socketpair()
    receiver = Receiver(theirs)
    found: list[tuple[int, Active]] = []
    thread = threading.Thread(target=lambda: found.extend(receiver.next() for _ in frames))
    thread.start()
    for some in frames:
        send(ours, some)
    thread.join(20)
    ours.close()
    with pytest.raises(EOFError):
        receiver.next()
    theirs.close()
    return found


@pytest.mark.parametrize("many", [0, PIECE - 2, 3 * PIECE + 1])
def test_all_of_it_arrives(many):
    before = active(many, many)
    ((number, after),) = passed(packed(7, before, None))
    assert number == 7
    assert after.program.records == before.program.records
    assert after.directory == before.directory
    assert (after.digest, after.environment) == (before.digest, before.environment)


def test_only_what_has_changed_is_sent_again():
    first = active(3 * PIECE, PIECE)
    revoked = Active(first.digest, "dev", first.program, active(0, 1).directory, stale=False, pointer=None)
    fresh = packed(2, revoked, first)
    assert sum(map(len, fresh)) < 2000
    (_, before), (number, after) = passed(packed(1, first, None), fresh)
    assert number == 2
    assert after.program is before.program
    assert after.directory == revoked.directory
