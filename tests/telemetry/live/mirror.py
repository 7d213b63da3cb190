"""What a client holds of one subscription, kept by its frames: the twin of static/js/live/mirror.js."""

from __future__ import annotations

from typing import Any

import orjson


class Mirror:
    def __init__(self) -> None:
        self.epoch = ""
        self.seq = 0
        self.ts = 0
        self.rows: dict[str, list[float | None]] = {}
        self.kinds: list[str] = []
        self._keys: list[str] = []
        self._width = 0

    def apply(self, data: bytes | str) -> dict[str, Any]:
        frame: dict[str, Any] = orjson.loads(data)
        self.kinds.append(frame["t"])
        if frame["t"] == "snap":
            self.epoch, self._keys, self._width = frame["e"], list(frame["k"]), len(frame["m"])
            self.rows = {key: list(row) for key, row in zip(frame["k"], frame["v"], strict=True)}
        else:
            assert frame["e"] == self.epoch
            assert frame["p"] == self.seq, "every frame follows the one before it"
            assert frame["ts"] >= self.ts
        if frame["t"] == "rows":
            for key in frame["del"]:
                self._keys.remove(key)
                del self.rows[key]
            for key, row in frame["add"]:
                self._keys.append(key)
                self.rows[key] = list(row)
        elif frame["t"] == "d":
            for at, value in zip(frame["c"][::2], frame["c"][1::2], strict=True):
                self.rows[self._keys[at // self._width]][at % self._width] = value
        self.seq, self.ts = frame["q"], frame["ts"]
        return frame
