"""What are the replicas that ``headway up`` simulates?"""

from __future__ import annotations

import pytest

from coordination.capacity import PROFILES
from coordination.capacity.profile_file import profile_bytes
from headway.cli.up import command
from headway.up import crew, run
from headway.up.options import PROFILE, Options, Ports


def asked(monkeypatch: pytest.MonkeyPatch, **options: object) -> str:
    """The profile that the fleet's process is started with."""
    starts: list[Options] = []

    def up(options: Options) -> int:
        starts.append(options)
        return 0

    monkeypatch.setattr(run, "up", up)
    with pytest.raises(SystemExit) as ended:
        command(**options)  # type: ignore[arg-type]
    assert ended.value.code == 0
    spec = crew.fleet(Ports(1, 2, 3, 4), starts[0].profile)
    return spec.arguments[spec.arguments.index("--profile") + 1]


def test_a_file_is_told_by_where_it_is_whatever_folder_the_fleet_runs_in(monkeypatch, tmp_path):
    (tmp_path / "mine.json").write_bytes(profile_bytes(PROFILES[PROFILE]))
    monkeypatch.chdir(tmp_path)
    assert asked(monkeypatch, profile="mine.json") == str(tmp_path / "mine.json")
    assert asked(monkeypatch, profile="llama-3-70b-h100-tp4") == "llama-3-70b-h100-tp4"
    assert asked(monkeypatch) == PROFILE


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"profile": "abacus"}, "headway up: abacus: neither a profile"),
        ({"profile": __file__}, "test_up_profile.py: not a profile: "),
        ({"profile": PROFILE, "demo": False}, "--no-demo starts none"),
    ],
)
def test_what_is_no_profile_is_told_before_anything_starts(capsys, monkeypatch, options, says):
    monkeypatch.setattr(run, "up", lambda _: pytest.fail("it was started"))
    with pytest.raises(SystemExit) as ended:
        command(**options)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err
