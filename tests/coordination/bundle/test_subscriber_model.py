"""Whatever is delivered, in whatever order, over whatever faults: what serves was wholly accepted.

The machine under test is ``acceptance.step``; the shell around it (disk, network, program loader) is
modelled here with every fault it can have. Full disks and kills with a real file system are tested
where that shell is.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from coordination.bundle import dsse
from coordination.bundle.acceptance import step, subscribe, verify_parts
from coordination.bundle.candidates import Verify
from coordination.bundle.pack import unpack
from coordination.bundle.pointer import Pointer, sign_pointer
from coordination.bundle.root import open_root, sign_root
from coordination.bundle.subscription import (
    Activate,
    Activated,
    BundleReceived,
    DirectoryReceived,
    Effect,
    Event,
    FetchBundle,
    FetchDirectory,
    FetchFailed,
    Persist,
    Persisted,
    PersistFailed,
    PointerReceived,
    SelfTest,
    SelfTested,
    Started,
    Subscriber,
    Ticked,
    Verified,
)
from tests.coordination.bundle import samples

SECOND = samples.SECOND
ROOT_ENVELOPE = sign_root(samples.root(), [samples.KEY])
POISON = 13
"""The reservation of the one bundle whose self-test fails."""


@cache
def built(output: int):
    made = samples.bundle(output=output)
    return made, dsse.sign(made.manifest, dsse.BUNDLE, [samples.KEY])


BY_DIGEST = {built(output)[0].digest: output for output in (1, 2, 3, POISON)}


class Gateway(RuleBasedStateMachine):
    """A control plane that publishes, a network that fails and lies, a gateway that is killed."""

    @initialize()
    def begin(self):
        self.wall = samples.AT
        self.mono = 0
        self.serial = 0
        self.published: Pointer | None = None
        self.envelopes: list[bytes] = []
        self.directories = {}
        self.disk: dict[str, bytes] = {}
        self.disk_full = False
        self.todo: list[Effect] = []
        self.serving: Any = None
        self.highest = (0, 0)
        self.highest_directory = 0
        self.clean_disk = True
        self.boot()
        self.publish(1, "new", True)

    # The shell.

    def boot(self):
        root = open_root(ROOT_ENVELOPE)
        self.subscriber: Subscriber = subscribe(root, ROOT_ENVELOPE, environment="dev", ring="main")
        self.serving = None
        self.highest = (0, 0)
        self.highest_directory = 0
        self.todo = []
        self.mono = 0
        self.put(Started(dict(self.disk), wall=self.wall, mono=self.mono))

    def put(self, event: Event):
        self.subscriber, effects = step(self.subscriber, event)
        self.todo.extend(effects)

    def do(self, effect, *, fault: str = ""):
        """Carry out one effect, with a fault if asked for."""
        match effect:
            case FetchBundle(number, digest):
                if fault == "fail":
                    return self.put(FetchFailed(number, "connection reset"))
                made, envelope = built(BY_DIGEST[digest])
                if fault == "other":
                    made, envelope = built(next(o for d, o in BY_DIGEST.items() if d != digest))
                if fault == "flip tar":
                    return self.put(BundleReceived(number, self.flip(made.tar), envelope))
                if fault == "flip envelope":
                    return self.put(BundleReceived(number, made.tar, self.flip(envelope)))
                self.put(BundleReceived(number, made.tar, envelope))
            case FetchDirectory(number, digest):
                if fault == "fail":
                    return self.put(FetchFailed(number, "connection reset"))
                data = self.directories[digest].to_json()
                self.put(DirectoryReceived(number, self.flip(data) if fault.startswith("flip") else data))
            case Verify():
                self.put(Verified(effect.number, verify_parts(effect)))
            case SelfTest(number, records):
                poisoned = records.reservations[0].portions[0].output_tokens_per_minute == POISON
                self.put(SelfTested(number, ["tenant-0: expected admit, got refuse"] if poisoned else []))
            case Persist(number, files, digests):
                if self.disk_full:
                    self.clean_disk = False
                    return self.put(PersistFailed(number, "No space left on device"))
                self.disk = {**self.disk, "root.json": ROOT_ENVELOPE, **files}
                self.clean_disk = True
                self.put(Persisted(number, digests))
            case Activate(number, candidate):
                self.serving = candidate.pair
                assert self.subscriber.attempt is not None
                wanted = self.subscriber.attempt.pointer
                assert candidate.pair == (wanted.bundle, wanted.directory), "not what was asked for"
                assert candidate.directory.serial >= self.highest_directory, "a revoked key lives again"
                self.highest_directory = candidate.directory.serial
                self.put(Activated(number))
        return None

    def flip(self, data: bytes) -> bytes:
        at = self.where % len(data)
        return data[:at] + bytes([data[at] ^ (1 << self.where % 8)]) + data[at + 1 :]

    where = 0

    # What happens.

    @rule(
        output=st.sampled_from([1, 1, 2, 2, 3, POISON]),
        directory=st.sampled_from(["same", "same", "new", "new", "first"]),
        deliver=st.booleans(),
    )
    def publish(self, output, directory, deliver):
        """A release, a rollback (an output seen before), a change of the directory, or its rollback."""
        self.serial += 1
        if directory == "new":
            made = samples.directory(serial=len(self.directories) + 1)
            self.directories[made.digest] = made
        chosen = list(self.directories.values())[0 if directory == "first" else -1]
        self.published = samples.pointer(
            built(output)[0], chosen, serial=self.serial, issued_at=self.wall, lifetime=60 * SECOND
        )
        self.envelopes.append(sign_pointer(self.published, [samples.KEY]))
        if deliver:
            self.deliver_pointer(0, 0)

    @rule()
    def heartbeat(self):
        if self.published is not None:
            lifetime = 60 * SECOND
            self.published = type(self.published)(
                **{name: getattr(self.published, name) for name in self.published.__struct_fields__}
                | {"issued_at": self.wall, "expires_at": self.wall + lifetime}
            )
            self.envelopes.append(sign_pointer(self.published, [samples.KEY]))

    @rule(back=st.sampled_from([0, 0, 1, 4]), skew=st.sampled_from([0, 0, -86_400, 86_400]))
    def deliver_pointer(self, back, skew):
        """The newest, or a replay of an older one; the gateway's wall clock may be a day off."""
        if self.envelopes:
            envelope = self.envelopes[max(0, len(self.envelopes) - 1 - back)]
            before = self.subscriber.desired
            self.put(PointerReceived(envelope, wall=self.wall + skew * SECOND, mono=self.mono))
            after = self.subscriber.desired
            if before is not None:
                assert after is not None
                assert after.order >= before.order, "an older pointer was followed"

    @rule(where=st.integers(0, 10_000))
    def deliver_tampered_pointer(self, where):
        if self.envelopes:
            self.where = where
            before = self.subscriber.desired
            self.put(PointerReceived(self.flip(self.envelopes[-1]), wall=self.wall, mono=self.mono))
            assert self.subscriber.desired == before
            assert self.subscriber.error is not None

    @rule(foreign=st.sampled_from(["environment", "ring", "key"]))
    def deliver_foreign_pointer(self, foreign):
        if self.published is None:
            return
        changes = {"environment": {"environment": "prod"}, "ring": {"ring": "canary"}, "key": {}}[foreign]
        fields = {name: getattr(self.published, name) for name in self.published.__struct_fields__}
        key = samples.OTHER_KEY if foreign == "key" else samples.KEY
        pointer = Pointer(**fields | changes | {"serial": self.serial + 100})
        before = self.subscriber.desired
        self.put(PointerReceived(sign_pointer(pointer, [key]), wall=self.wall, mono=self.mono))
        assert self.subscriber.desired == before
        expected = {"environment": "wrong_environment", "ring": "wrong_ring", "key": "unknown_key"}
        assert self.subscriber.error is not None
        assert self.subscriber.error.code == expected[foreign]

    @rule(
        fault=st.sampled_from(["", "", "", "fail", "other", "flip tar", "flip envelope"]),
        where=st.integers(0, 10_000),
    )
    def carry_out_one(self, fault, where):
        self.where = where
        if self.todo:
            self.do(self.todo.pop(0), fault=fault)

    @rule(kind=st.sampled_from([Verify, SelfTest, Persist, Activate]))
    def carry_out_until(self, kind):
        while self.todo and not isinstance(self.todo[0], kind):
            self.do(self.todo.pop(0))

    @rule()
    def carry_out_all(self):
        while self.todo:
            self.do(self.todo.pop(0))

    @rule(seconds=st.sampled_from([1, 31, 3600]))
    def time_passes(self, seconds):
        self.wall += seconds * SECOND
        self.mono += seconds * SECOND
        self.put(Ticked(self.mono))

    @rule(full=st.booleans())
    def disk_fills_or_empties(self, full):
        self.disk_full = full

    @rule(after_rename=st.booleans())
    def killed(self, after_rename):
        """SIGKILL now, or within the next write: before the rename or just after it."""
        if after_rename and self.todo and isinstance(self.todo[0], Persist) and not self.disk_full:
            self.disk = {**self.disk, "root.json": ROOT_ENVELOPE, **self.todo[0].files}
        serving, clean = self.serving, self.clean_disk
        self.boot()
        self.carry_out_all()
        if serving is not None:
            assert self.serving is not None, "what served did not survive the restart"
            if clean and not after_rename:
                assert self.serving[0] == serving[0]

    @rule(
        where=st.integers(0, 10_000),
        name=st.sampled_from(["bundle.tar", "bundle.dsse.json", "directory.json", "pointer.dsse.json"]),
    )
    def disk_rots_and_is_healed(self, where, name):
        """One byte on disk changes while the gateway is down: it serves nothing from there."""
        if not self.disk:
            return
        whole = self.disk
        self.where = where
        self.disk = {**whole, name: self.flip(whole[name])}
        self.boot()
        self.carry_out_all()
        assert self.serving is None
        assert self.subscriber.state == "rejected"
        self.disk = whole
        self.boot()
        self.carry_out_all()

    @rule()
    def calm(self):
        """Faults end: the gateway reaches what is published, or refuses it for its content."""
        if self.published is None:
            return
        self.disk_full = False
        self.carry_out_all()
        self.wall += SECOND
        self.mono += SECOND
        self.heartbeat()
        self.put(PointerReceived(self.envelopes[-1], wall=self.wall, mono=self.mono))
        self.carry_out_all()
        expected = None
        if self.directories[self.published.directory].serial < self.highest_directory:
            expected = "replayed_serial"
        elif BY_DIGEST[self.published.bundle] == POISON:
            expected = "self_test_failed"
        if expected is not None:
            assert self.subscriber.state == "rejected"
            assert self.subscriber.error is not None
            assert self.subscriber.error.code == expected
        else:
            assert self.subscriber.state == "active", self.subscriber.error
            assert self.serving == (self.published.bundle, self.published.directory)
            assert self.subscriber.error is None

    # What must always hold.

    @invariant()
    def serves_only_what_was_published_and_passed(self):
        if getattr(self, "serving", None) is not None:
            bundle, directory = self.serving
            assert BY_DIGEST[bundle] != POISON
            assert directory in self.directories

    @invariant()
    def what_serves_would_survive_a_restart(self):
        """The disk holds the bundle that serves, or the next one, about to be swapped in."""
        if getattr(self, "serving", None) is not None:
            on_disk = unpack(self.disk["bundle.tar"]).digest
            swapping = any(
                isinstance(effect, Activate) and effect.candidate.bundle.digest == on_disk
                for effect in self.todo
            )
            assert on_disk == self.serving[0] or swapping

    @invariant()
    def says_what_serves(self):
        if not hasattr(self, "subscriber"):
            return
        applied = self.subscriber.applied
        assert (applied.candidate.pair if applied else None) == self.serving
        status = self.subscriber.status()
        assert (status["applied"] is None) == (self.serving is None)
        if self.subscriber.state in ("active", "stale"):
            assert self.serving is not None
        if self.subscriber.state == "rejected":
            assert status["error"]["code"]


Gateway.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestGateway = pytest.mark.slow(Gateway.TestCase)
