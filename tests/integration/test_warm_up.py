"""The cheap warm-up leaves an interpreter like any other: the shelf holds what is true, the stand-ins are gone."""

import json
import uuid

import docker
import pytest

from sandbox import image
from sandbox.engine import DockerSandbox
from sandbox.types import Job, Level

pytestmark = pytest.mark.docker

FLAGS = ["python3", "-P", "-S", "-s", "-B", "-c"]
FACTS = """
import sys
def facts(name):
    module = sys.modules[name]
    spec = module.__spec__
    return [spec.origin, spec.cached, spec.has_location, spec.submodule_search_locations, type(spec.loader).__name__,
            vars(spec.loader), module.__loader__ is spec.loader, module.__file__, module.__cached__, module.__package__]
"""
IN_THE_SHELF = """
import importlib, marshal, re, sys, _sre
sys.path.insert(0, "/opt/mendbench")
from guest.shelf import FILE, SIZE
data = open(FILE, "rb").read()
start = SIZE + int.from_bytes(data[:SIZE], "big")
index = marshal.loads(data[SIZE:start])
code = lambda offset, size: marshal.loads(data[start + offset:start + offset + size])
for name, (origin, package, *place) in index["modules"].items():
    loader = importlib.machinery.SourceFileLoader(name, origin)
    assert code(*place) == loader.get_code(name) and package == loader.is_package(name), name
for text, place in index["sources"].items():
    assert code(*place) == compile(text, "<string>", "exec", dont_inherit=True), text
for (pattern, flags), known in index["patterns"].items():
    made, usual = _sre.compile(*known), re.compile(pattern, flags)
    assert (made, made.flags, made.groups, made.groupindex) == (usual, usual.flags, usual.groups, usual.groupindex)
print(*(len(index[kind]) for kind in ("modules", "sources", "patterns")))
print("pytest" in index["modules"], "guest.warden" in index["modules"])
"""


@pytest.fixture(scope="module")
def client():
    api = docker.APIClient(base_url=image.ensure(), version="auto", timeout=120)
    yield api
    api.close()


@pytest.fixture(scope="module")
def sandbox():
    with DockerSandbox(f"test-{uuid.uuid4().hex[:8]}") as made:
        yield made


def shared(sandbox, script, tests="def test_it():\n    import solution\n"):
    result = sandbox.run(Job(id=uuid.uuid4().hex, script=script, tests=tests))
    return {test.id: (str(test.outcome), test.message) for test in result.tests}, result


def test_the_shelf_holds_what_would_be_found_and_compiled(client):
    """Every module, written source and pattern on the shelf equals what the interpreter itself comes to."""
    container = client.create_container(image.expected_tag(), [*FLAGS, IN_THE_SHELF], network_disabled=True)[
        "Id"
    ]
    try:
        client.start(container)
        status = client.wait(container)["StatusCode"]
        output = client.logs(container).decode()
    finally:
        client.remove_container(container, force=True, v=True)
    assert status == 0, output
    counts, known = output.splitlines()
    assert min(map(int, counts.split())) > 20
    assert known == "True True"


def test_a_module_of_the_warm_up_is_like_one_that_was_imported(sandbox):
    """Its file, its loader and all else that can be asked of it are those of a fresh interpreter."""
    names = [
        "_pytest.config",
        "_pytest",
        "pytest",
        "typing",
        "dataclasses",
        "json",
        "json.decoder",
        "pluggy._hooks",
    ]
    script = f"""{FACTS}
import importlib, json, subprocess
names = {names!r}
for name in names: importlib.import_module(name)
here = [facts(name) for name in names]
code = {FACTS!r} + "import importlib, json\\nnames = " + repr(names) + '''
for name in names: importlib.import_module(name)
print(json.dumps([facts(name) for name in names]))'''
fresh = subprocess.run(["python3", "-P", "-S", "-s", "-B", "-c", code], capture_output=True, text=True)
print(json.dumps([json.loads(json.dumps(here)), json.loads(fresh.stdout)]))
"""
    result = sandbox.run(
        Job(id=uuid.uuid4().hex, script=script, tests="def test_it():\n    import solution\n")
    )
    here, fresh = json.loads(result.stdout.head)
    assert here == fresh
    assert len(here) == len(names)


@pytest.mark.parametrize("level", [Level.SHARED, Level.PROGRAM])
def test_nothing_of_the_warm_up_is_in_force_any_more(sandbox, level):
    """Scripts find no stand-in, no finder before the others, no other compiler, and a collector at work."""
    script = """
import dataclasses, gc, re, sys
print([name for name, module in sys.modules.items() if type(module).__name__ == "_Later"])
print([getattr(finder, "__module__", "") for finder in sys.meta_path if "guest" in str(type(finder))])
print("exec" in vars(dataclasses), re._compiler.compile.__module__, gc.isenabled())
"""
    tests = "def test_it():\n    import solution\n" if level is Level.SHARED else None
    result = sandbox.run(Job(id=uuid.uuid4().hex, script=script, tests=tests, level=level))
    assert result.stdout.head.splitlines() == ["[]", "[]", "False re._compiler True"]


def test_scripts_get_the_real_modules(sandbox):
    """What has a stand-in in the warm-up is there, whole, for whoever imports it."""
    script = """
import bz2, hashlib, importlib.metadata, importlib.resources.readers, ipaddress, lzma, platform, uuid
import pygments.lexers.python

def real():
    return [
        hashlib.sha256(b"x").hexdigest()[:8], bz2.decompress(bz2.compress(b"x")), lzma.decompress(lzma.compress(b"x")),
        importlib.metadata.version("pytest")[0].isdigit(), importlib.resources.readers.FileReader.__name__,
        str(ipaddress.ip_address("::1")), platform.python_implementation(), uuid.UUID(int=1).int,
        pygments.lexers.python.PythonLexer.name,
    ]
"""
    tests = """
from solution import real

def test_real():
    assert real() == ["2d711642", b"x", b"x", True, "FileReader", "::1", "CPython", 1, "Python"]
"""
    outcomes, _ = shared(sandbox, script, tests)
    assert outcomes == {"test_real": ("passed", "")}


def test_whoever_holds_a_stand_in_gets_answers_of_the_real_module(sandbox):
    """Those in pytest and in the library stay, and what they are for works."""
    tests = """
import importlib
import io
import shutil
import urllib.parse

import pytest
from _pytest._io import TerminalWriter


def test_colours():
    writer = TerminalWriter(io.StringIO())
    writer.hasmarkup = True
    assert "\\x1b[" in writer._highlight("x = 1", "python")
    assert "\\x1b[" in writer._highlight("- a", "diff")


def test_addresses():
    assert urllib.parse.urlsplit("http://[::1]:80/").hostname == "::1"
    with pytest.raises(ValueError):
        urllib.parse.urlsplit("http://[nonsense]/")


def test_versions():
    assert importlib.metadata.version("pytest")


def test_archives(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("a")
    for kind in ("bztar", "xztar", "zip"):
        made = shutil.make_archive(str(tmp_path / kind), kind, tmp_path / "in")
        shutil.unpack_archive(made, tmp_path / ("out-" + kind))
        assert (tmp_path / ("out-" + kind) / "a").read_text() == "a"


@pytest.mark.skipif("platform.python_implementation() != 'CPython'")
def test_condition_as_text():
    assert True
"""
    outcomes, result = shared(sandbox, "x = 1\n", tests)
    assert result.tests_error == ""
    assert {test: outcome for test, (outcome, _) in outcomes.items()} == dict.fromkeys(
        ("test_colours", "test_addresses", "test_versions", "test_archives", "test_condition_as_text"),
        "passed",
    ), outcomes
