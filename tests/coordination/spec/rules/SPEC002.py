"""Parts of YAML that policies do without."""

from tests.support.policies import Case

CASES = [
    Case("an anchor", "a: &x 1\n", (("1:4", "anchor `&x`"),)),
    Case("an alias without its anchor", "a: *x\n", (("1:4", "alias `*x`"),)),
    Case("a billion laughs", "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", (("1:4", "anchor `&a`"),)),
    Case("an anchor on a collection", "a: &x\n  - 1\n", (("1:4", "anchor"),)),
    Case(
        "a Python object", "a: !!python/object/apply:os.system [ls]\n", (("1:4", "tag `tag:yaml.org,2002"),)
    ),
    Case("a tag on a text", "a: !secret x\n", (("1:4", "tag `!secret`"),)),
    Case("a merge key", "<<: {kind: Tier}\n", (("1:1", "merge key"),), also=("SPEC005", "SPEC013")),
    Case("a mapping as a key", "{a: 1}: 2\n", (("1:1", "a key must be plain text"),)),
    Case(
        "a directive",
        "%YAML 1.1\n---\n# nothing\n",
        (("1:1", "`%YAML 1.1`: policies do without directives"),),
    ),
    Case("an asterisk within quotes", "# *a\n---\n"),
]
