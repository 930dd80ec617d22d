"""The sandbox image as it is built: what is in it, what is not, and both of its bases."""

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from sandbox import image
from sandbox.errors import ImageMissing
from sandbox.types import ImageInfo

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ["python3", "-I", "-S", "-B", "-c"]
SITE = "import sys; sys.path.append('/opt/mendbench/site')\n"


@pytest.fixture(scope="module")
def client() -> Iterator[docker.APIClient]:
    host = image.ensure()
    api = docker.APIClient(base_url=host, version="auto", timeout=120)
    yield api
    api.close()


@pytest.fixture(scope="module")
def built(client: docker.APIClient) -> ImageInfo:
    return image.find(client)


def run(client: Any, tag: str, *command: str) -> str:
    """Output of a command in a container like the sandbox's own: no network, read-only root."""
    config = client.create_host_config(read_only=True, network_mode="none")
    container = client.create_container(tag, list(command), network_disabled=True, host_config=config)["Id"]
    try:
        client.start(container)
        status = client.wait(container)["StatusCode"]
        output = str(client.logs(container).decode())
    finally:
        client.remove_container(container, force=True, v=True)
    assert status == 0, output
    return output


def build(script: Path = ROOT / "docker/build", **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"MENDBENCH_PYTHON": sys.executable, **os.environ, **variables}
    return subprocess.run(
        ["bash", script], env=environment, capture_output=True, text=True, check=False, timeout=280
    )


def copy_of_sources(folder: Path) -> Path:
    """A repository with only what the image is made of; returns its build script."""
    shutil.copytree(ROOT / "docker", folder / "docker")
    shutil.copytree(
        ROOT / "sandbox/guest", folder / "sandbox/guest", ignore=shutil.ignore_patterns("__pycache__")
    )
    return folder / "docker/build"


def tag_of(script: Path, **variables: str) -> str:
    environment = {**os.environ, **variables}
    return subprocess.check_output(["bash", script, "--print-tag"], env=environment, text=True).strip()


def labels(client: Any, tag: str) -> dict[str, str]:
    return dict(client.inspect_image(tag)["Config"]["Labels"])


@pytest.fixture
def discard(client: Any) -> Iterator[list[str]]:
    """Tags to remove after the test."""
    tags: list[str] = []
    yield tags
    for tag in tags:
        if client.images(name=tag):
            client.remove_image(tag, force=True)


def test_a_second_build_does_nothing(client: Any, built: ImageInfo) -> None:
    """With the image there, the script is silent and leaves it as it is."""
    done = build()

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert client.inspect_image(built.tag)["Id"] == built.digest


def test_the_labels_tell_the_truth(client: Any, built: ImageInfo) -> None:
    """Python and packages on the label are those that a container finds."""
    code = (
        "import platform, re; from importlib.metadata import distributions as d\n"
        "names = {re.sub('[-_.]+', '-', x.name).lower() + '==' + x.version for x in d(path=['/opt/mendbench/site'])}\n"
        "print(platform.python_version(), *sorted(names))"
    )
    python, *packages = run(client, built.tag, *PYTHON, code).split()

    assert python == built.python
    assert tuple(packages) == built.packages
    assert built.python.startswith("3.11.")
    assert built.base == "mmdebstrap bookworm" or built.base.startswith("registry ")
    assert len(built.identity) == 64
    assert len(built.guest_version) == 16


def test_the_packages_import(client: Any, built: ImageInfo) -> None:
    """What the guest needs and what scripts import most works, off a read-only root."""
    code = SITE + (
        "import attrs, bs4, coverage, dateutil, hypothesis.extra.numpy, more_itertools, networkx, numpy.testing, "
        "pandas.testing, parameterized, pydantic, pytest, pytest_asyncio, pytest_mock, requests, sortedcontainers, "
        "tabulate, typing_extensions, yaml, zoneinfo, sqlite3, ssl, decimal, ctypes\n"
        "zoneinfo.ZoneInfo('Europe/Berlin')\n"
        "print(int(numpy.ones((64, 64)).dot(numpy.ones((64, 64))).sum()))"
    )
    assert run(client, built.tag, *PYTHON, code).split() == ["262144"]


def test_no_package_of_the_base_leaks_in(client: Any, built: ImageInfo) -> None:
    """Apart from our own folder, the interpreter has the standard library and nothing else."""
    code = "import importlib.metadata as m; print([d.name for d in m.distributions()])"
    assert run(client, built.tag, "python3", "-I", "-c", code).split() == ["[]"]


def test_localhost_resolves_without_a_network(client: Any, built: ImageInfo) -> None:
    """A server and its client can meet on localhost though Docker mounts no hosts file."""
    code = (
        "import socket\n"
        "server = socket.create_server(('localhost', 0)); port = server.getsockname()[1]\n"
        "socket.create_connection(('localhost', port)).close(); print(socket.gethostbyname('localhost'))"
    )
    assert run(client, built.tag, *PYTHON, code).split() == ["127.0.0.1"]


def test_nothing_in_the_image_raises_privileges(client: Any, built: ImageInfo) -> None:
    """No setuid or setgid bits are left."""
    assert run(client, built.tag, "find", "/", "-xdev", "-perm", "/6000") == ""


def test_there_are_no_tools_to_build_or_fetch_with(client: Any, built: ImageInfo) -> None:
    """No compiler, no downloader, no installer of Python packages."""
    names = "cc gcc g++ tcc make ld as curl wget pip pip3 git ssh docker"
    assert run(client, built.tag, "sh", "-c", f"for n in {names}; do command -v $n || true; done") == ""


def test_everything_is_compiled_ahead(client: Any, built: ImageInfo) -> None:
    """Each module has a .pyc that is used as it is, since nothing can be written at run time."""
    code = SITE + (
        "import importlib.util as u, pathlib, struct, sysconfig\n"
        "def flags(p):\n"
        "    c = pathlib.Path(u.cache_from_source(str(p)))\n"
        "    return struct.unpack('<I', c.read_bytes()[4:8])[0] if c.exists() else None\n"
        "for name in ('site/pytest/__init__.py', 'site/numpy/__init__.py', 'site/_pytest/main.py'):\n"
        "    print(flags('/opt/mendbench/' + name))\n"
        "print([p.name for p in pathlib.Path('/opt/mendbench/guest').glob('*.py') if flags(p) != 1])\n"
        "print(flags(sysconfig.get_path('stdlib') + '/ast.py') is None)"
    )
    assert run(client, built.tag, *PYTHON, code).split() == ["1", "1", "1", "[]", "False"]


def test_hypothesis_finds_its_tables_made(client: Any, built: ImageInfo) -> None:
    """The folder is read-only to a run: what is not in it would be worked out in every process anew."""
    code = (
        SITE + "sys.path.append('/opt/mendbench')\n"
        "from guest import unicode\n"
        "from hypothesis.internal import charmap\n"
        "charmap.chr = None  # nothing can be worked out without it\n"
        "unicode.load()\n"
        "assert charmap._charmap and charmap.intervals_from_codec.cache_info().currsize == 1\n"
    )
    run(client, built.tag, *PYTHON, code)


def test_python_has_one_path_on_every_base(client: Any, built: ImageInfo) -> None:
    """/opt/mendbench/python is the interpreter that `python3` starts."""
    code = (
        "import os, sys; print(os.path.realpath(sys.executable) == os.path.realpath('/opt/mendbench/python'))"
    )
    assert run(client, built.tag, "/opt/mendbench/python", "-c", code).split() == ["True"]
    assert run(client, built.tag, "python3", "-c", code).split() == ["True"]


def test_a_missing_image_is_named_with_the_command_that_builds_it(
    client: docker.APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says which image is missing and what to type."""
    monkeypatch.setenv("MENDBENCH_BASE", "nowhere.invalid/python:3.11")
    with pytest.raises(
        ImageMissing, match=r"no image mendbench-sandbox:[0-9a-f]{16}: build it with `make image`"
    ):
        image.find(client)


def test_a_change_of_the_guest_rebuilds_only_the_top(
    client: Any, built: ImageInfo, tmp_path: Path, discard: list[str]
) -> None:
    """Another guest is another identity on the same base and packages."""
    script = copy_of_sources(tmp_path)
    (tmp_path / "sandbox/guest/extra_module.py").write_text("VALUE = 1\n")
    tag = tag_of(script)
    discard.append(tag)

    done = build(script)

    assert done.returncode == 0, done.stderr
    assert "mendbench-site" not in done.stderr
    ours, other = client.inspect_image(built.tag), client.inspect_image(tag)
    common = [a for a, b in zip(ours["RootFS"]["Layers"], other["RootFS"]["Layers"], strict=False) if a == b]
    assert len(common) >= 4
    assert other["Config"]["Labels"]["mendbench.identity"] != built.identity
    assert other["Config"]["Labels"]["mendbench.guest"] != built.guest_version
    assert other["Config"]["Labels"]["mendbench.packages"] == " ".join(built.packages)


def test_the_same_inputs_give_the_same_identity(
    client: Any, built: ImageInfo, tmp_path: Path, discard: list[str]
) -> None:
    """Two builds at once of the same sources: one builds, both succeed, and the identity is the known one."""
    script = copy_of_sources(tmp_path)
    # Comments of the Dockerfile are part of the tag, not of the identity.
    with (tmp_path / "docker/Dockerfile").open("a") as file:
        file.write("# the same image under another tag\n")
    tag = tag_of(script)
    discard.append(tag)
    environment = {"MENDBENCH_PYTHON": sys.executable, **os.environ}
    both = [
        subprocess.Popen(["bash", script], env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=200)[1] for process in both]

    assert [process.returncode for process in both] == [0, 0], said
    assert sum(f"building {tag}" in text for text in said) == 1
    assert labels(client, tag)["mendbench.identity"] == built.identity


@pytest.mark.slow
@pytest.mark.parametrize("silent", [False, True], ids=["refused", "silent"])
def test_a_registry_that_does_not_answer_is_given_up(silent: bool) -> None:
    """With a base that no registry gives, the script ends with 3 within a bounded time and says what to try."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        base = f"localhost:{server.getsockname()[1]}/python:3.11-none"
        if not silent:
            server.close()
        done = build(MENDBENCH_BASE=base)

    assert done.returncode == 3
    assert f"docker pull {base}" in done.stderr


# ---- The registry's base, against a registry on loopback ----


def find_registry() -> str:
    """Debian's docker-registry; installed where that is possible, because a skip would hide this path."""
    if not shutil.which("docker-registry") and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "docker-registry"]):
            subprocess.run(command, env=environment, capture_output=True, check=False, timeout=240)
    found = shutil.which("docker-registry")
    if not found:
        pytest.skip("no docker-registry here, and apt-get cannot install it")
    return found


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Address of an empty registry of its own."""
    binary = find_registry()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    config = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    path = tmp_path / "registry.yml"
    path.write_text(json.dumps(config))  # JSON is YAML
    with (tmp_path / "registry.log").open("wb") as log:
        process = subprocess.Popen([binary, "serve", path], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        await_registry(f"http://127.0.0.1:{port}/v2/", process)
        yield f"localhost:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


def await_registry(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        assert process.poll() is None, "docker-registry ended at once"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("docker-registry does not answer")


def small_base(client: Any) -> str:
    """Some Python 3.11 base that is on the engine already, else the one that mmdebstrap makes."""
    for name in ("python", "mendbench-base"):
        for found in client.images(name=name):
            for tag in found["RepoTags"] or []:
                if name == "mendbench-base" or tag.startswith("python:3.11"):
                    return str(tag)
    done = build(MENDBENCH_BASE_SOURCE="mmdebstrap")
    assert done.returncode == 0, done.stderr
    return str(client.images(name="mendbench-base")[0]["RepoTags"][0])


@pytest.mark.slow
@pytest.mark.skipif(
    platform.system() != "Linux", reason="an engine in a virtual machine has another loopback"
)
def test_a_base_from_a_registry(client: Any, built: ImageInfo, registry: str, discard: list[str]) -> None:
    """The base is pulled by its tag, its digest is recorded, and the identity does not depend on the way."""
    base = f"{registry}/python:3.11.14-slim-bookworm"
    client.tag(small_base(client), f"{registry}/python", "3.11.14-slim-bookworm")
    pushed = [json.loads(line) for line in client.push(base).splitlines()]
    digest = next(line["aux"]["Digest"] for line in pushed if "aux" in line)
    client.remove_image(base)
    tag = tag_of(ROOT / "docker/build", MENDBENCH_BASE=base)
    discard += [tag, base]

    done = build(MENDBENCH_BASE=base)

    assert done.returncode == 0, done.stderr
    discard.insert(1, next(word for word in done.stderr.split() if word.startswith("mendbench-site:")))
    assert f"asking the registry for {base}" in done.stderr
    facts = labels(client, tag)
    assert facts["mendbench.base"] == f"registry {base}@{digest}"
    assert facts["mendbench.packages"] == " ".join(built.packages)
    if facts["mendbench.python"] == built.python:
        assert facts["mendbench.identity"] == built.identity
