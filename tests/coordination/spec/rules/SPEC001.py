"""What cannot be read at all."""

from tests.support.policies import Case

CASES = [
    Case("an unclosed bracket", "kind: [Tenant\n", (("2:1", "did not find expected ',' or ']'"),)),
    Case(
        "a mistake in one document leaves the next one readable",
        "kind: {\n---\nkind: Nonsense\n",
        (("2:1", "cannot be read"),),
        also=("SPEC012", "SPEC013"),
    ),
    Case("a tab used for indentation", "spec:\n\tband: 3\n", (("2:1", "cannot start any token"),)),
    Case("a document that is a list", "- a\n- b\n", (("1:1", "found a list"),)),
    Case("a document that is a sentence", "hello there\n", (("1:1", "found the text `hello there`"),)),
    Case("a byte that is not UTF-8", b"kind: Tier\nname: \xff\n", (("2:7", "byte 18"),)),
    Case("a NUL", b"kind: Tier\x00\n", (("1:11", "U+0000"),)),
    Case("a terminal escape", b"kind: \x1b[2J\n", (("1:7", "U+001B"),)),
    Case("JSON cut short", '{"kind": ', (("1:10", "expecting value"),), file="case.json"),
    Case("a blank file", "\n\n# nothing here\n"),
    Case("a byte-order mark and Windows line ends", b"\xef\xbb\xbf# hello\r\n---\r\n"),
]
