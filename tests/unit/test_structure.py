"""The shape of the project: imports go one way, the SDK is the SDK, the wheel holds what it should."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import docker
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("evaluator", "repair", "sandbox", "prompts")
MAY_IMPORT = {
    "evaluator": {"evaluator", "repair", "sandbox", "prompts"},
    "repair": {"repair", "sandbox", "prompts"},
    "sandbox": {"sandbox"},
    "prompts": {"prompts"},
}


def modules():
    """Every module of the host side, by dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "guest" in path.parts or "_image" in path.parts:
                continue
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def imports(path, *, module_level=False):
    """The project's modules that a file imports; in-function imports too, unless told otherwise."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    if module_level:
        nodes = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return {name for name in names if name.partition(".")[0] in PACKAGES}


def test_imports_go_one_way():
    """Evaluator may use all, repair uses sandbox and prompts, those two use nothing of ours but themselves."""
    wrong = [
        f"{name} imports {target}"
        for name, path in modules().items()
        for target in imports(path)
        if target.partition(".")[0] not in MAY_IMPORT[name.partition(".")[0]]
    ]

    assert wrong == []


def test_no_import_cycles():
    """No module imports itself over others when it is loaded."""
    known = modules()
    graph = {
        name: {target for target in imports(path, module_level=True) if target in known} - {name}
        for name, path in known.items()
    }
    done, path = set(), []

    def visit(name):
        if name in path:
            pytest.fail(" → ".join([*path[path.index(name) :], name]))
        if name not in done:
            path.append(name)
            for target in sorted(graph[name]):
                visit(target)
            path.pop()
            done.add(name)

    for name in sorted(graph):
        visit(name)
    assert done == set(graph)


def test_the_host_never_imports_the_guest():
    """What runs in the container is never loaded outside of it."""
    assert [
        name for name, path in modules().items() if any("guest" in target for target in imports(path))
    ] == []


def test_the_guest_needs_nothing_of_ours():
    """The guest imports the standard library, what the image is made for testing with, and its own modules."""
    guest = ROOT / "sandbox" / "guest"
    own = {path.stem for path in guest.rglob("*.py")}
    allowed = set(sys.stdlib_module_names) | own | {"pytest", "_pytest", "hypothesis", "coverage", "solution"}
    allowed |= {"numpy"}
    wrong = []
    for path in guest.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            wrong += [f"{path.name}: {name}" for name in names if name.partition(".")[0] not in allowed]

    assert wrong == []


def test_the_docker_sdk_is_the_one_imported():
    """Our docker/ folder does not shadow the SDK."""
    assert hasattr(docker, "from_env")
    assert ROOT / "docker" not in Path(docker.__file__).parents


def test_no_python_under_docker():
    """docker/ is data: a module there would end up inside the SDK."""
    assert sorted((ROOT / "docker").rglob("*.py")) == []


def test_no_package_markers_under_tests():
    """An __init__.py there would shadow packages in every import mode."""
    assert sorted((ROOT / "tests").rglob("__init__.py")) == []


def test_threads_start_in_one_place():
    """Only named modules may start threads or pools."""
    allowed = {
        "evaluator.running.scheduler",
        "evaluator.servers.find",  # asks all local ports at once
        "evaluator.replay.recorded",  # is a server
        "repair.cleaning.caged",  # watches its children
        "repair.http_guard",  # the deadline of a silent server
        "sandbox.pool",
    }
    starters = {
        name
        for name, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2]
        in {"Thread", "ThreadPoolExecutor", "ProcessPoolExecutor", "Process", "Pool", "Timer"}
    }

    assert starters <= allowed, starters - allowed


@pytest.mark.slow
def test_wheel_holds_what_it_should(tmp_path):
    """The wheel has the four packages, the image's files under sandbox/_image, and nothing else."""
    subprocess.run(
        [sys.executable, "-P", "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    tracked = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", *PACKAGES, "docker"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    expected = {
        f"sandbox/_image/{name.removeprefix('docker/')}" if name.startswith("docker/") else name
        for name in tracked
        if name and (ROOT / name).exists()
    }

    assert expected == set(names)
    assert not any(name.startswith(("docker/", "tests/")) for name in names)
