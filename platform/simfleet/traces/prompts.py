"""Which text stands for a list of hash ids? Equal ids give equal text, so prefixes are really shared.

A token is one word of three letters and a space: 4 bytes, so a tokeniser that splits at spaces, one
that counts bytes / 4 and one made for English all see about the same length, and a block of 512
tokens is 2,048 bytes.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from coordination.traces.records import BLOCK_TOKENS, TraceRequest

TOKEN_BYTES = 4
BLOCK_BYTES = BLOCK_TOKENS * TOKEN_BYTES

# 256 common words, one for each byte of the stream drawn for a block.
_WORDS = (
    "ace act add age ago aid aim air all and ant any ape apt arc are arm art ash ask "
    "ate awe axe bad bag ban bar bat bay bed bee beg bet bid big bin bit bow box boy "
    "bud bug bun bus but buy cab can cap car cat cod cog cow cry cup cut dad dam day "
    "den dew did die dig dim dip dog dot dry due dug dye ear eat ebb egg ego elf elk "
    "elm end era eve eye fan far fat fed fee few fig fin fir fit fix fly foe fog for "
    "fox fun fur gap gas gem get gin god got gum gun gut guy gym had ham has hat hay "
    "hen her hid him hip his hit hop hot how hub hue hug hut ice ill ink inn ion its "
    "ivy jam jar jaw jet job jog joy jug key kid kin kit lab lad lap law lay led leg "
    "let lid lie lip lit log lot low mad man map mat may men met mix mob mud mug nap "
    "net new nod nor not now nut oak oar oat odd off oil old one opt orb ore our out "
    "owl own pad pan paw pay pea pen pet pie pig pin pit pod pop pot pub put rag ran "
    "rat raw ray red rib rid rig rim rip rob rod rot row rub rug run rye sad sat saw "
    "say sea see set sew she shy sip sir sit six ski sky sun tea the"
)
_TOKENS = tuple(word.encode() + b" " for word in _WORDS.split())


@lru_cache(maxsize=1024)
def _shared_block(block: int) -> bytes:
    return words(b"block:%d" % block, BLOCK_TOKENS)


def words(name: bytes, tokens: int) -> bytes:
    """``tokens`` words drawn by the bytes of SHAKE-128 of a name: the same on every machine."""
    return b"".join(map(_TOKENS.__getitem__, hashlib.shake_128(name).digest(tokens)))


def prompt_text(request: TraceRequest) -> bytes:
    """ASCII text of exactly ``input_tokens`` words (4 bytes each) for one request.

    The last block is cut to what the prompt leaves of it. A request without blocks gets words
    drawn from its line, which nothing else shares.
    """
    if not request.blocks:
        return words(b"line:%d" % request.line, request.input_tokens)
    last = request.input_tokens - (len(request.blocks) - 1) * BLOCK_TOKENS
    whole = b"".join(map(_shared_block, request.blocks[:-1]))
    return whole + _shared_block(request.blocks[-1])[: last * TOKEN_BYTES]
