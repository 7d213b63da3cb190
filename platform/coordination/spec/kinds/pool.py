"""Pool: replicas of one model in one region, and what each of them can do."""

from typing import Annotated, Any

from coordination.spec.declaration import Block
from coordination.spec.finding import Finding
from coordination.spec.notation import Choice, Count, Items, Rate, Reference, Share, Text
from coordination.spec.plain import Path
from coordination.spec.rules import SPEC013_missing_field, SPEC017_one_of

ORIGIN = r"https?://(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"


REGION = Text(63, r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", "a region name")
HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?:[0-9]{1,5}"
OBJECT = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?"


class Replicas(Block, frozen=True, kw_only=True):
    """Where the replicas are: by URLs, by a DNS name, or by an InferencePool."""

    urls: Annotated[
        tuple[str, ...],
        Items(Text(300, ORIGIN, "an origin such as `http://replica-1.eu:8000`"), most=1000),
        "Base URLs, one for each replica, without a path.",
    ] = ()
    dns: Annotated[
        str | None,
        Text(260, HOST, "a name and port such as `replicas.eu:8000`"),
        "A name whose addresses are the replicas; gateways ask for it every 5 s.",
    ] = None
    inference_pool: Annotated[
        str | None,
        Text(130, OBJECT, "an InferencePool such as `models/llama-70b`"),
        "Namespace and name of the InferencePool that selects them.",
    ] = None
    count: Annotated[
        int | None, Count("replicas", 1, 10_000), "How many to plan with, where they are found by name."
    ] = None

    @property
    def planned(self) -> int:
        """How many replicas the pool's capacity is reckoned with."""
        return len(self.urls) or self.count or 0

    @classmethod
    def review(cls, values: dict[str, Any], path: Path, found: list[Finding]) -> None:
        given = [name for name in ("urls", "dns", "inference_pool") if values.get(name)]
        if len(given) != 1:
            misread = SPEC017_one_of.exactly_one("`replicas`", ("urls", "dns", "inference_pool"), given)
            found.append(Finding(misread, (path, given[1]) if given else path))
        elif given != ["urls"] and values.get("count") is None:
            doc = "Capacity is reckoned with so many replicas."
            found.append(Finding(SPEC013_missing_field.missing("count", "`replicas`", doc), path))


class Auth(Block, frozen=True, kw_only=True):
    """Where a gateway finds the key it shows to the replicas. The key itself is never in a document."""

    env: Annotated[
        str | None,
        Text(100, r"[A-Za-z_][A-Za-z0-9_]*", "a variable such as `REPLICA_KEY`"),
        "An environment variable of the gateway.",
    ] = None
    file: Annotated[str | None, Text(500), "A file on the gateway's machine."] = None

    @classmethod
    def review(cls, values: dict[str, Any], path: Path, found: list[Finding]) -> None:
        given = [name for name in ("env", "file") if values.get(name)]
        if len(given) != 1:
            misread = SPEC017_one_of.exactly_one("`auth`", ("env", "file"), given)
            found.append(Finding(misread, (path, given[1]) if given else path))


class Capacity(Block, frozen=True, kw_only=True):
    """What one replica can do; measured, not hoped for."""

    input: Annotated[int, Rate("tokens/min", 1), "Prompt tokens it computes when it does nothing else."]
    output: Annotated[int, Rate("tokens/min", 1), "Tokens it generates when it does nothing else."]
    sequences: Annotated[int, Count("sequences", 1), "Requests it runs at once."]
    kv_tokens: Annotated[int, Count("tokens", 1), "Tokens its KV cache holds."]


class Pool(Block, frozen=True, kw_only=True):
    """Replicas of one model in one region."""

    model: Annotated[str, Reference("Model"), "The model every replica serves."]
    region: Annotated[str, REGION, "Where it runs."] = "local"
    engine: Annotated[
        str,
        Choice("vllm", "sglang", "trtllm", "tgi", "simulated", "openai"),
        "What serves the model; `openai` is any other with that API.",
    ] = "vllm"
    profile: Annotated[
        str,
        Text(100, r"[a-z0-9][a-z0-9.-]*", "a profile such as `llama-3-8b-h100-tp1`"),
        "Model and accelerator, as the capacity model knows them.",
    ]
    replicas: Annotated[Replicas, "Where the replicas are."]
    auth: Annotated[Auth | None, "The key that replicas ask for."] = None
    capacity: Annotated[Capacity | None, "What one replica can do."] = None
    reservable: Annotated[int, Share(), "How much of the pool reservations may promise."] = 700_000
    isolation: Annotated[
        str,
        Choice("shared", "reserved_only"),
        "Who is served: everyone, or only requests that a reservation pays for.",
    ] = "shared"
