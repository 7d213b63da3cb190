"""From documents to a program: complete, deterministic, and tried before it is given away."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

import msgspec
import pytest

from coordination.bundle.manifest import read_manifest
from coordination.compiler import HORIZON, build, check
from coordination.compiler.catalogue import Catalogue
from coordination.compiler.emitting import emit
from coordination.compiler.origins import place_of
from coordination.program.index import load
from coordination.program.records import ProgramRecords
from coordination.program.timeline import recurrences_end
from coordination.scheduling import run_vectors
from coordination.spec import SourceFile, read
from coordination.spec.quantities import read_instant
from tests.support.policies import (
    NEW_YEAR_2026,
    ROOT,
    diagnose,
    quickstart,
    quickstart_files,
    quickstart_program,
    world_with,
)

DAY = 86_400_000_000
UNUSED = "apiVersion: headway/v1\nkind: Tier\nmetadata: {name: flex}\nspec: {band: 1}\n"


def program_of(
    files: Iterable[SourceFile], *, at: int = NEW_YEAR_2026, environment: str = "dev"
) -> ProgramRecords:
    policy_set, diagnostics = read(files)
    assert diagnostics == []
    records, _, _, found = build(policy_set, environment=environment, at=at)
    assert records is not None, [d.message for d in found]
    return records


def test_the_quickstart_is_sound_and_says_what_the_demo_needs():
    assert diagnose(quickstart_files()) == []
    records, vectors = quickstart_program()
    assert [m.served_name for m in records.models] == ["llama-3-8b"]
    assert [(p.name, len(p.replicas), p.region) for p in records.pools] == [
        ("chat-a", 4, "eu"),
        ("chat-b", 4, "us"),
    ]
    assert [t.name for t in records.tenants] == ["acme", "globex", "initech", "umbrella"]
    assert [(t.name, t.band, t.service_tier) for t in sorted(records.tiers, key=lambda t: -t.band)] == [
        ("priority", 300, ("priority", "fast")),
        ("standard", 200, ("default", "standard")),
        ("flex", 100, ("flex",)),
        ("batch", 50, ("batch",)),
    ]
    assert {q.tenant: q.weight_ppm // 1_000_000 for q in records.quotas} == {
        "acme": 4, "globex": 2, "initech": 1, "umbrella": 1
    }  # fmt: skip
    assert [(r.name, r.portions[0].pool, r.tier) for r in records.reservations] == [
        ("acme-chat", "chat-a", "priority"),
        ("globex-chat", "chat-b", "standard"),
    ]
    assert len(records.routes) == 3
    assert vectors


def test_every_kind_of_verdict_is_tried_by_the_self_test_and_holds():
    records, vectors = quickstart_program()
    assert run_vectors(records, vectors) == []
    assert {v.expect.verdict for v in vectors} == {"admit", "refuse"}
    assert {v.expect.code for v in vectors} >= {"model_not_found", "tier_not_entitled"}
    assert {v.expect.route for v in vectors} >= {route.name for route in records.routes}
    drawn = [v for v in vectors if not v.name.startswith("expectation ")]
    assert sum(v.expect.reservation == "used" for v in drawn) == len(records.reservations)
    asking = [d for d in quickstart().documents if d.kind == "Expectation" and d.spec.given is not None]
    assert len(vectors) - len(drawn) == len(asking)
    assert len({v.name for v in vectors}) == len({v.request for v in vectors}) == len(vectors)


def test_the_self_test_notices_a_program_that_was_changed():
    records, vectors = quickstart_program()
    entitled = msgspec.structs.replace(records.tenants[2], tiers=("flex",), default_tier="flex")
    tampered = msgspec.structs.replace(
        records, tenants=(*records.tenants[:2], entitled, *records.tenants[3:])
    )
    assert run_vectors(tampered, vectors) != []


def test_the_self_test_stays_small_for_a_large_policy():
    tenants = "---\n".join(
        UNUSED.replace("Tier", "Tenant")
        .replace("flex", f"t{i}")
        .replace("band: 1", "tiers: [standard, priority]")
        for i in range(400)
    )
    policy_set, _ = read(world_with(tenants))
    records, _, vectors, _ = build(policy_set, environment="dev", at=NEW_YEAR_2026)
    assert records is not None
    assert len(vectors) == 256
    assert run_vectors(records, vectors) == []


def test_the_order_of_files_and_documents_changes_nothing():
    joined = b"---\n".join(f.text for f in reversed(quickstart_files()))
    assert program_of(quickstart_files()) == program_of([SourceFile("one.yaml", joined)])


BUILD = """
import sys, hashlib, msgspec
sys.path.insert(0, "platform")
from tests.support.policies import quickstart_program
records, vectors = quickstart_program()
print(hashlib.sha256(msgspec.json.encode([records, vectors])).hexdigest())
"""


def test_the_same_bytes_whatever_the_hash_seed():
    def digest(seed: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", BUILD],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout.decode()

    assert len({digest("0"), digest("1"), digest("4711")}) == 1


def test_nothing_is_built_from_what_could_not_be_read():
    policy_set, diagnostics = read(world_with("kind: Teir\n"))
    assert diagnostics
    assert build(policy_set, environment="dev", at=0)[0] is None


def test_nothing_is_built_while_a_rule_is_broken():
    policy_set, _ = read(world_with("", without=["Tier/priority"]))
    records, _, vectors, diagnostics = build(policy_set, environment="dev", at=0)
    assert (records, vectors) == (None, [])
    assert [d.code for d in diagnostics] == ["REF101"]


def test_warnings_do_not_stop_a_build():
    policy_set, _ = read(world_with(UNUSED))
    records, _, _, diagnostics = build(policy_set, environment="dev", at=0)
    assert records is not None
    assert [d.severity for d in diagnostics] == ["warning"]


SCOPED = """\
apiVersion: headway/v1
kind: Pool
metadata: {name: chat, environments: [eu]}
spec:
  model: llama-3-8b
  profile: p
  replicas: {urls: ["http://eu:1"]}
  capacity: {input: 1M tokens/min, output: 1M tokens/min, sequences: 1, kv_tokens: 1}
---
apiVersion: headway/v1
kind: Pool
metadata: {name: chat, environments: [us]}
spec:
  model: llama-3-8b
  profile: p
  replicas: {urls: ["http://us:1"]}
  capacity: {input: 1M tokens/min, output: 1M tokens/min, sequences: 1, kv_tokens: 1}
"""


NAMED = """\
apiVersion: headway/v1
kind: Pool
metadata: {name: chat}
spec:
  model: llama-3-8b
  profile: p
  replicas: {dns: "chat.internal:8000", count: 3}
  capacity: {input: 1M tokens/min, output: 1M tokens/min, sequences: 1, kv_tokens: 1}
"""


def test_a_pool_found_by_name_is_reckoned_with_as_many_replicas_as_it_says():
    files = world_with(NAMED)
    assert diagnose(files) == []
    (pool,) = (one for one in program_of(files).pools if one.name == "chat")
    assert pool.dns == "chat.internal:8000"
    assert pool.replicas == tuple(f"http://{number}.chat.planned" for number in range(3))
    assert load(program_of(files)).pools["chat"].share(3_000_000, 0) == 1_000_000, "all of it"


def test_an_environment_sees_its_own_documents_and_those_for_all():
    files = world_with(SCOPED)
    assert program_of(files, environment="eu").pools[0].replicas == ("http://eu:1",)
    assert program_of(files, environment="us").pools[0].replicas == ("http://us:1",)
    assert diagnose(files) == []
    policy_set, _ = read(files)
    assert [d.code for d in build(policy_set, environment="dev", at=0)[3]] == ["REF106", "REF101"]


def test_a_mistake_in_all_environments_is_told_once():
    files = world_with(SCOPED + "---\n" + UNUSED)
    assert [d.code for d in diagnose(files)] == ["REF106"]


WINDOW = """\
apiVersion: headway/v1
kind: Reservation
metadata: {name: r}
spec:
  tenant: acme
  pool: chat
  tier: priority
  throughput: {input: 100k tokens/min, output: 10k tokens/min}
  window: {from: 2026-03-01T00:00:00Z, until: 2026-04-01T00:00:00Z}
"""
MARCH, APRIL = NEW_YEAR_2026 + 59 * DAY, NEW_YEAR_2026 + 90 * DAY


@pytest.mark.parametrize(
    ("at", "intervals"),
    [(NEW_YEAR_2026, [((MARCH, APRIL),)]), (MARCH + DAY, [((MARCH, APRIL),)]), (APRIL, []),
     (MARCH - HORIZON, []),
     (MARCH - HORIZON + 1, [((MARCH, APRIL),)])],
)  # fmt: skip
def test_the_timeline_holds_what_is_in_force_between_now_and_the_horizon(at: int, intervals: list[object]):
    assert [r.intervals for r in program_of(world_with(WINDOW), at=at).reservations] == intervals


def test_past_the_horizon_what_has_no_end_goes_on_and_what_recurs_stops():
    text = WINDOW.rpartition("  window")[0]
    office = text.replace("metadata: {name: ", "metadata: {name: x").replace("100k tokens", "1k tokens")
    recurring = f'{office}  window: {{recurs: "FREQ=DAILY", at: "09:00-18:00"}}\n'
    files = world_with(f"{text}---\n{recurring}")
    records = program_of(files)
    end = recurrences_end(records)
    assert end == NEW_YEAR_2026 + HORIZON
    held, lasting = load(records), {r.name for r in records.reservations if r.intervals == ((0, None),)}
    noon = 12 * 3600 * 10**6
    before, after = (
        {each.name for each in held.segment_at(at).in_force(held.reservations.values())}
        for at in (end - DAY + noon, end + 30 * DAY + noon)
    )
    assert after == lasting
    assert before == {r.name for r in records.reservations} > after
    assert recurrences_end(program_of(world_with(text))) is None


def test_a_later_build_moves_the_timeline_on_under_the_same_tree():
    text = f'{WINDOW.rpartition("  window")[0]}  window: {{recurs: "FREQ=DAILY", at: "09:00-18:00"}}\n'
    policy_set, _ = read(world_with(text))
    one, two = (
        emit(policy_set, environment="dev", at=NEW_YEAR_2026 + days * DAY, tzdata="2025b").bundle
        for days in (0, 1)
    )
    assert one is not None
    assert two is not None
    assert one.digest != two.digest
    assert read_manifest(one.manifest).root_tree == read_manifest(two.manifest).root_tree


def test_defaults_are_settled_when_lowered():
    records = program_of(world_with(""))
    [model], [pool], [route] = records.models, records.pools, records.routes
    assert (model.served_name, model.max_output) == ("llama-3-8b", 128_000)
    assert (model.cost.uncached_input_ppm, model.cost.cached_input_ppm, model.cost.output_ppm) == (
        10**6,
        10**5,
        4 * 10**6,
    )
    assert (pool.region, pool.engine, pool.reservable_ppm) == ("local", "vllm", 500_000)
    assert (records.tenants[0].display_name, records.tenants[0].zone) == ("acme", "UTC")
    assert route.placement.strategy == "balanced"
    assert (route.retries.attempts, route.retries.on) == (2, ("connect", "status_503"))
    [reservation] = program_of(world_with(WINDOW.rpartition("  window")[0])).reservations
    assert (reservation.intervals, reservation.overflow.action) == (((0, None),), "spill")


PROMISES = """\
apiVersion: headway/v1
kind: Tier
metadata: {name: priority}
spec:
  service_tier: [priority, fast]
  band: 300
  queue: {max_wait: 0s}
  objectives:
    - {metric: itl, target: 40ms}
    - {metric: availability, target: 99.9%}
    - {metric: e2e, target: 30s, uncached_input: {min: 100, max: 8k}}
    - {metric: ttft, percentile: 99, target: 9s}
    - {metric: deadline, target: 60s}
"""


def test_of_objectives_those_are_carried_that_only_a_gateway_can_count_and_traced():
    policy_set, _ = read(world_with(PROMISES))
    records, source_map, _, _ = build(policy_set, environment="dev", at=NEW_YEAR_2026)
    assert records is not None
    tier = next(one for one in records.tiers if one.name == "priority")
    assert [one.key for one in tier.objectives] == [
        "e2e 30000000us 100..8000 tokens",
        "ttft 9000000us",
        "deadline 60000000us",
    ]
    assert [one.counted for one in tier.objectives] == [True, False, True]
    catalogue = Catalogue(policy_set, "dev", NEW_YEAR_2026)
    for pointer, line in {
        "/objectives/0/target": 11,
        "/objectives/0/uncached_input/max": 11,
        "/objectives/1/percentile": 12,
        "/objectives/2/target": 13,
    }.items():
        place = place_of(catalogue, source_map, "Tier", "priority", pointer)
        assert place is not None
        assert place.line == line


def test_every_number_that_was_written_is_traced_to_its_place():
    policy_set = quickstart()
    records, source_map, _, _ = build(policy_set, environment="dev", at=NEW_YEAR_2026)
    assert records is not None
    catalogue = Catalogue(policy_set, "dev", NEW_YEAR_2026)

    def place(kind: str, name: str, pointer: str) -> str | None:
        at = place_of(catalogue, source_map, kind, name, pointer)
        if at is None:
            return None
        line = policy_set.texts[at.file].split("\n")[at.line - 1]
        return f"{at.file} {line[at.column - 1 : at.end_column - 1]}"

    assert place("Quota", "acme", "/limits/2/limit") == "quotas.yaml 20000 USD"
    assert place("Quota", "acme", "/weight_ppm") == "quotas.yaml 4"
    assert place("Pool", "chat-b", "/capacity/input_tokens_per_minute") == "pools.yaml 2.2M tokens/min"
    assert (
        place("Reservation", "acme-chat", "/portions/0/output_tokens_per_minute")
        == "reservations.yaml 24k tokens/min"
    )
    assert place("Tier", "batch", "/queue/max_wait") == "tiers.yaml 10m"
    assert place("PriceBook", "list-prices", "/entries/0/output_nano") == "prices.yaml 0.60 USD/1M tokens"
    assert place("PriceBook", "list-prices", "/entries/0/start") == "prices.yaml 2026-01-01T00:00:00Z"
    assert place("PriceBook", "list-prices", "/tier_multipliers_ppm/flex") == "prices.yaml 0.5"
    assert place("Route", "chat-priority", "/timeouts/first_byte") == "routes.yaml 30s"
    assert place("Route", "chat-everyone", "/timeouts/first_byte") is None, "a default has no origin"
    assert place("Route", "chat-everyone", "/nonsense") is None


def test_prices_are_traced_although_they_are_sorted():
    book = """\
apiVersion: headway/v1
kind: PriceBook
metadata: {name: p}
spec:
  currency: USD
  entries:
    - {model: llama-3-8b, from: 2027-01-01T00:00:00Z, uncached_input: 2 USD/1M tokens, cached_input: 0 USD/1M tokens, output: 5 USD/1M tokens}
    - {model: llama-3-8b, from: 2026-01-01T00:00:00Z, uncached_input: 1 USD/1M tokens, cached_input: 0 USD/1M tokens, output: 4 USD/1M tokens}
"""  # noqa: E501 - as an author would write it
    policy_set, _ = read(world_with(book))
    records, source_map, _, _ = build(policy_set, environment="dev", at=0)
    assert records is not None
    assert [e.output_nano for e in records.price_books[0].entries] == [4000, 5000]
    entry = source_map.find("PriceBook", "p")
    assert entry is not None
    assert entry.fields["/entries/0/output_nano"] == "/spec/entries/1/output"


def test_where_a_file_lies_does_not_change_the_source_map():
    def built(prefix: bytes, name: str) -> object:
        files = [SourceFile(name + f.name, prefix + f.text) for f in quickstart_files()]
        policy_set, _ = read(files)
        return build(policy_set, environment="dev", at=0)[1]

    assert built(b"", "") == built(b"# moved down\n\n", "elsewhere/")


OFFICE_HOURS = WINDOW.rpartition("  window")[0] + (
    '  window: {recurs: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", at: "09:00-18:00", zone: Europe/Berlin}\n'
)


def test_a_recurring_reservation_is_in_force_in_its_hours_with_nobody_to_tell_the_gateway():
    policy_set, _ = read(world_with(OFFICE_HOURS))
    records, source_map, vectors, found = build(policy_set, environment="dev", at=NEW_YEAR_2026)
    assert (records is not None, found) == (True, [])
    assert records
    program = load(records)

    def reserved(instant: str) -> bool:
        return any(program.segment_at(read_instant(instant)).in_force(program.reservations.values()))

    assert not reserved("2026-01-02T07:59:59Z")
    assert reserved("2026-01-02T08:00:00Z")
    assert reserved("2026-01-02T16:59:59Z")
    assert not reserved("2026-01-02T17:00:00Z")
    assert not reserved("2026-01-03T12:00:00Z"), "a Saturday"
    assert reserved("2026-07-01T07:00:00Z"), "an hour earlier in summer"
    assert not reserved("2027-03-01T12:00:00Z"), "past the horizon a recurrence has stopped"
    said = {v.name: v.expect.reservation for v in vectors if v.name.startswith("reservation")}
    assert sorted(said.values()) == ["none", "used"], "a gateway tries both before it activates"
    assert run_vectors(program, vectors) == []
    catalogue = Catalogue(policy_set, "dev", NEW_YEAR_2026)
    name = records.reservations[0].name
    place = place_of(catalogue, source_map, "Reservation", name, "/intervals/17/0")
    assert place is not None
    assert policy_set.texts[place.file].split("\n")[place.line - 1].strip().startswith("window: {recurs")


def test_checking_looks_at_an_instant():
    files = world_with(WINDOW)
    policy_set, _ = read(files)
    assert check(policy_set, NEW_YEAR_2026) == []
    assert [d.code for d in check(policy_set, APRIL)] == ["TIME602"]
