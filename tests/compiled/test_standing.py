"""When does what was compiled stand in, and what is said when it cannot be made? Nobody compiled these."""

from __future__ import annotations

import importlib
import json
import os
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import compiled
from compiled import build

MODULES = ("coordination.scheduling.admission", "gateway.sse")


@pytest.fixture
def fresh(tmp_path, monkeypatch) -> ModuleType:
    """The module that decides, of small sources of its own and a twin made of them."""
    spec = spec_from_file_location("compiled_fresh", compiled.__file__)
    assert spec is not None
    assert spec.loader is not None
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    for name, text in {
        "coordination/scheduling/admission.py": "LIMIT = 1\n",
        "coordination/compiler/passes.py": "pass\n",
        "coordination/plan/steps.py": "pass\n",
        "gateway/sse.py": "pass\n",
        "console/views.py": "pass\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(found, "SOURCES", tmp_path)
    monkeypatch.setattr(found, "TWIN", tmp_path / "twin")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.delenv(compiled.SWITCH, raising=False)
    (tmp_path / "twin").mkdir()
    made(found, modules=list(MODULES), suffix=found.SUFFIX, sources=found.digest())
    return found


def made(of: ModuleType, **manifest) -> None:
    (of.TWIN / of.MANIFEST).write_text(json.dumps(manifest))


def finders(of: ModuleType) -> list[Any]:
    return [one for one in sys.meta_path if isinstance(one, of.Finder)]


def test_it_stands_in_once_however_often_it_is_asked_to(fresh):
    assert [fresh.stand_in() for _ in range(3)] == ["compiled"] * 3
    assert finders(fresh) == sys.meta_path[:1]


def test_its_finder_finds_its_modules_and_none_else(fresh):
    fresh.stand_in()
    (finder,) = finders(fresh)
    for name in MODULES:
        spec = finder.find_spec(name, None)
        assert isinstance(spec.loader, ExtensionFileLoader)
        assert spec.origin == str(fresh.TWIN / (name.replace(".", "/") + fresh.SUFFIX))
    for name in ("coordination", "coordination.scheduling", "coordination.scheduling.admissions", "json"):
        assert finder.find_spec(name, None) is None


def test_a_module_it_lists_and_has_not_is_an_error_and_no_reason_to_run_half_of_it(fresh):
    fresh.stand_in()
    (finder,) = finders(fresh)
    with pytest.raises(ImportError):
        module_from_spec(finder.find_spec("gateway.sse", None))


@pytest.mark.parametrize("file", ["coordination/scheduling/admission.py", "gateway/sse.py"])
def test_one_byte_of_a_source_is_enough(fresh, file):
    path = fresh.SOURCES / file
    text = path.read_text()
    path.write_text(text.replace("1", "2") if "1" in text else f"{text}\n")
    assert fresh.stand_in() == fresh.standing() == "outdated"
    assert finders(fresh) == []
    path.write_text(text)
    assert fresh.stand_in() == "compiled"


def test_a_source_more_or_one_less_or_one_renamed_is_enough(fresh):
    more = fresh.SOURCES / "gateway" / "more.py"
    more.write_text("pass\n")
    assert fresh.standing() == "outdated"
    (fresh.SOURCES / "gateway" / "sse.py").unlink()
    assert fresh.standing() == "outdated"
    more.rename(more.with_name("sse.py"))
    assert fresh.standing() == "compiled"


@pytest.mark.parametrize(
    "file", ["console/views.py", "coordination/compiler/passes.py", "coordination/plan/steps.py"]
)
def test_what_nothing_compiled_depends_on_may_change(fresh, file):
    (fresh.SOURCES / file).write_text("changed = True\n")
    assert fresh.standing() == "compiled"


def test_switched_off_the_sources_run(fresh, monkeypatch):
    monkeypatch.setenv(fresh.SWITCH, "0")
    assert fresh.stand_in() == fresh.standing() == "interpreted"
    assert finders(fresh) == []
    monkeypatch.setenv(fresh.SWITCH, "1")
    assert fresh.stand_in() == "compiled"


def test_without_a_twin_the_sources_run(fresh):
    (fresh.TWIN / fresh.MANIFEST).unlink()
    assert fresh.stand_in() == fresh.standing() == "interpreted"
    assert finders(fresh) == []


def test_what_was_compiled_for_another_interpreter_or_machine_is_outdated(fresh):
    made(fresh, modules=list(MODULES), suffix=".cpython-39-riscv64-linux-gnu.so", sources=fresh.digest())
    assert fresh.stand_in() == "outdated"
    assert finders(fresh) == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"modules": []}'])
def test_a_manifest_that_says_nothing_keeps_nothing_from_starting(fresh, text):
    (fresh.TWIN / fresh.MANIFEST).write_text(text)
    assert fresh.stand_in() == "outdated"
    assert finders(fresh) == []


# Making it


@pytest.fixture
def nothing_made(monkeypatch) -> None:
    monkeypatch.setattr(build, "standing", lambda: "interpreted")

    def never(paths):
        raise AssertionError("nothing can be compiled here")

    monkeypatch.setattr(build, "build", never)


def test_without_a_compiler_it_says_what_to_install(monkeypatch, capsys, tmp_path, nothing_made):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    assert build.main() == 1
    said = capsys.readouterr().err
    assert "no C compiler (cc) on PATH" in said
    assert "gcc" in said
    assert "interpreted" in said


def test_without_the_headers_of_python_it_says_what_to_install(monkeypatch, capsys, tmp_path, nothing_made):
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    assert build.main() == 1
    assert "python3-dev" in capsys.readouterr().err


def test_one_that_is_up_to_date_is_left_alone(monkeypatch, capsys, nothing_made):
    monkeypatch.setattr(build, "standing", lambda: "compiled")
    assert build.main() == 0
    assert "up to date" in capsys.readouterr().err


def test_what_is_compiled_is_there_and_named_once():
    named = [
        f"{folder}/{name}.py"
        for folder, names in build.PACKAGES.items()
        for name in names.split()
        if name != "*"
    ]
    whole = [folder for folder, names in build.PACKAGES.items() if "*" in names.split()]
    assert len(set(named)) == len(named)
    assert [name for name in (*named, *build.STRUCTS) if not (compiled.SOURCES / name).is_file()] == []
    assert [folder for folder in whole if len(list((compiled.SOURCES / folder).glob("*.py"))) < 2] == []
    assert set(named) <= set(build.sources())
    assert not {*build.STRUCTS} & {*build.sources()}


def test_tests_themselves_run_the_sources():
    assert compiled.stand_in() == "interpreted"
    here = Path(os.path.dirname(compiled.__file__)).parent
    for name in ("coordination.scheduling.admission", "coordination.simulator.loop", "gateway.sse"):
        file = importlib.import_module(name).__file__
        assert file is not None
        assert Path(file) == here / f"{name.replace('.', '/')}.py"
