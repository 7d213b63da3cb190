"""More than a reader should take in."""

from tests.support.policies import Case

CASES = [
    Case("nesting without end", "[" * 40 + "]" * 40, (("1:33", "more than 32 levels"),)),
    Case("block nesting without end", "- " * 10_000 + "a\n", (("1:65", "more than 32 levels"),)),
    Case("half a million brackets", "[" * 500_000, (("1:33", "more than 32 levels"),)),
    Case("a document of many megabytes", "a: " + "x" * 4_200_000, (("1:1", "4,200,003 characters"),)),
    Case("a file of more than 32 MiB", b"#" * (32 * 1024 * 1024 + 1), (("1:1", "at least 32.0 MiB"),)),
    Case(
        "JSON nested beyond the decoder", "[" * 100_000, (("1:2", "more than 32 levels"),), file="case.json"
    ),
    Case(
        "a file that is something else altogether",
        "---\nkind: Teir\n" * 1000,
        (("502:7", "more than 1,000 problems; what follows is not read"),),
        also=("SPEC012", "SPEC013"),
    ),
    Case(
        "a thousand unknown fields",
        "".join(f"zz{i}: 1\n" for i in range(1000)),
        (("1:1", "more than 100 problems"),),
        also=("SPEC005",),
    ),
    Case("thirty-two levels", "# " + "[" * 32),
]
