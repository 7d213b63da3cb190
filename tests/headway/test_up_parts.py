"""The parts of ``headway up``: ports, lock, secrets, folders, and what it tells people and programs."""

from __future__ import annotations

import json
import os
import socket
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from headway.cli.parser import app
from headway.up import lock
from headway.up.demo import draw_cast, remove_facts, write_facts
from headway.up.options import REPLICAS, Options, Ports
from headway.up.ports import is_free, preflight
from headway.up.run import summary
from headway.up.trouble import CannotStart

PORTS = Ports(console=8000, gateway=8080, admin=8081, fleet=8101)


def asked(tmp_path, **given) -> Options:
    free = {"port": 0, "gateway_port": 0, "admin_port": 0, "fleet_port": 0}
    return Options(**{**free, "var": tmp_path, "demo": True, **given})


@pytest.fixture
def taken():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


class TestPorts:
    def test_zero_becomes_a_free_port_and_no_two_are_the_same(self, tmp_path):
        found = preflight(asked(tmp_path), patience=0)
        fleet = set(range(found.fleet, found.fleet + REPLICAS))
        singles = {found.console, found.gateway, found.admin}
        assert len(singles | fleet) == 3 + REPLICAS
        assert all(map(is_free, singles | fleet))

    @pytest.mark.parametrize(
        ("option", "field", "what"),
        [
            ("--port", "port", "console"),
            ("--gateway-port", "gateway_port", "gateway"),
            ("--admin-port", "admin_port", "gateway admin"),
        ],
    )
    def test_a_taken_port_is_named_with_the_option_that_moves_it(self, tmp_path, taken, option, field, what):
        with pytest.raises(CannotStart) as trouble:
            preflight(asked(tmp_path, **{field: taken}), patience=0)
        assert f"Port {taken} ({what}) is taken. Choose another with {option} N" in str(trouble.value)

    def test_all_taken_ports_are_named_at_once(self, tmp_path, taken):
        with pytest.raises(CannotStart) as trouble:
            preflight(asked(tmp_path, port=taken, fleet_port=taken - 3), patience=0)
        assert f"Port {taken} (console)" in str(trouble.value)
        assert "--fleet-port N" in str(trouble.value)

    def test_one_port_asked_for_twice_is_refused(self, tmp_path):
        port = preflight(asked(tmp_path), patience=0).console
        with pytest.raises(CannotStart, match="--admin-port"):
            preflight(asked(tmp_path, port=port, admin_port=port), patience=0)

    def test_the_fleet_s_ports_do_not_matter_without_the_demo(self, tmp_path, taken):
        preflight(asked(tmp_path, fleet_port=taken, demo=False), patience=0)

    def test_after_a_killed_run_a_port_gets_time_to_become_free(self, tmp_path):
        server = socket.create_server(("127.0.0.1", 0))
        port = server.getsockname()[1]
        found = preflight(asked(tmp_path, port=port), patience=60, sleep=lambda _: server.close())
        assert found.console == port


class TestLock:
    def test_a_second_run_is_refused_and_told_which_process_holds_it(self, tmp_path):
        with (
            lock.held(tmp_path),
            pytest.raises(CannotStart, match=rf"process {os.getpid()}.*--var DIR"),
            lock.held(tmp_path),
        ):
            pytest.fail("two held it")

    def test_a_lock_file_left_by_a_killed_run_is_no_lock(self, tmp_path):
        (tmp_path / lock.NAME).write_text("999999\n")
        with lock.held(tmp_path):
            assert (tmp_path / lock.NAME).read_text() == f"{os.getpid()}\n"


class TestSecrets:
    def test_each_start_draws_every_password_anew(self):
        one, other = (draw_cast({"acme": "hw_a", "globex": "hw_b"}) for _ in range(2))
        secrets = [
            secret
            for cast in (one, other)
            for secret in (
                cast.operator.password,
                cast.approver.password,
                *(tenant.sign_in.password for tenant in cast.tenants),
            )
        ]
        assert len(set(secrets)) == len(secrets) == 8


class TestFacts:
    def test_demo_json_holds_what_the_contract_says_and_only_its_owner_reads_it(self, tmp_path):
        cast = draw_cast({"acme": "hw_a", "acme/research": "hw_b"})
        path = write_facts(tmp_path, PORTS, cast)
        assert path.stat().st_mode & 0o777 == 0o600
        facts = json.loads(path.read_text())
        assert facts["console_url"] == "http://127.0.0.1:8000"
        assert facts["gateway_url"] == "http://127.0.0.1:8080"
        assert set(facts["operator"]) == set(facts["approver"]) == {"username", "password"}
        assert [sorted(tenant) for tenant in facts["tenants"]] == [
            ["api_key", "name", "password", "username"]
        ] * 2
        assert facts["tenants"][1]["name"] == "acme/research"
        remove_facts(tmp_path)
        remove_facts(tmp_path)
        assert not path.exists()

    def test_the_summary_can_be_pasted(self, tmp_path):
        cast = draw_cast({"acme": "hw_a"})
        told = summary(PORTS, cast, var=tmp_path, anybody=True)
        assert cast.operator.password in told
        assert f"Authorization: Bearer {cast.tenants[0].api_key}" in told
        assert "curl http://127.0.0.1:8080/v1/chat/completions" in told

    def test_without_anybody_the_summary_says_how_to_make_the_first_administrator(self, tmp_path):
        assert "createsuperuser" in summary(PORTS, None, var=tmp_path, anybody=False)
        assert "createsuperuser" not in summary(PORTS, None, var=tmp_path, anybody=True)


class TestReset:
    def reset(self, folder: Path, *arguments: str, answer: str = "") -> Result:
        return CliRunner().invoke(app, ["reset", "--var", str(folder), *arguments], input=answer)

    @pytest.fixture
    def state(self, tmp_path):
        (tmp_path / "headway.sqlite3").touch()
        (tmp_path / "keys").mkdir()
        (tmp_path / "keys" / "dev.pem").touch()
        return tmp_path

    def test_it_asks_and_leaves_everything_when_told_no(self, state):
        done = self.reset(state, answer="n\n")
        assert done.exit_code == 1
        assert (state / "keys" / "dev.pem").exists()

    @pytest.mark.parametrize(("arguments", "answer"), [(["--yes"], ""), ([], "y\n")])
    def test_it_clears_everything_when_told_yes(self, state, arguments, answer):
        done = self.reset(state, *arguments, answer=answer)
        assert (done.exit_code, list(state.iterdir())) == (0, [])

    def test_it_refuses_while_headway_runs(self, state):
        with lock.held(state):
            done = self.reset(state, "--yes")
        assert done.exit_code == 1
        assert "already runs" in done.output
        assert (state / "headway.sqlite3").exists()

    def test_it_leaves_a_folder_that_is_not_ours_alone(self, tmp_path):
        (tmp_path / "thesis.tex").touch()
        done = self.reset(tmp_path, "--yes")
        assert done.exit_code == 1
        assert (tmp_path / "thesis.tex").exists()

    def test_nothing_to_clear_is_fine(self, tmp_path):
        assert self.reset(tmp_path / "absent").exit_code == 0
