"""The image's tag, as docker/build and the package compute it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import image
from sandbox.errors import ImageMissing

ROOT = Path(__file__).resolve().parents[2]


def printed_tag(script: Path, **variables: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MENDBENCH_")} | variables
    done = subprocess.run(
        ["bash", script, "--print-tag"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def no_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MENDBENCH_BASE", raising=False)
    monkeypatch.delenv("MENDBENCH_BASE_SOURCE", raising=False)


def test_the_package_and_the_script_agree_on_the_tag() -> None:
    """Both hash the same inputs, so that what one builds the other finds."""
    assert image.expected_tag() == printed_tag(ROOT / "docker/build")
    assert re.fullmatch(r"mendbench-sandbox:[0-9a-f]{16}", image.expected_tag())


def test_another_base_or_source_is_another_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    """A base that was asked for by name never passes for the default one."""
    seen = {image.expected_tag()}
    for name, value in (
        ("MENDBENCH_BASE", "localhost:1/python:3.11"),
        ("MENDBENCH_BASE_SOURCE", "mmdebstrap"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert image.expected_tag() == printed_tag(ROOT / "docker/build", **{name: value})
            seen.add(image.expected_tag())
    assert len(seen) == 3


def test_an_installed_wheel_has_the_same_tag(tmp_path: Path) -> None:
    """A wheel keeps docker/ as sandbox/_image beside sandbox/guest; script and package still agree there."""
    shutil.copytree(ROOT / "sandbox", tmp_path / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "docker", tmp_path / "sandbox/_image")
    code = "from sandbox import image; print(image.image_dir(), image.expected_tag())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    folder, tag = done.stdout.split()

    assert Path(folder) == tmp_path / "sandbox/_image"
    assert tag == printed_tag(tmp_path / "sandbox/_image/build") == printed_tag(ROOT / "docker/build")


@pytest.mark.parametrize("name", ["guest/extra.py", *[f"docker/{name}" for name in image.INPUTS]])
def test_every_input_changes_the_tag(tmp_path: Path, name: str) -> None:
    """Whatever goes into the image decides its tag."""
    shutil.copytree(ROOT / "docker", tmp_path / "docker")
    (tmp_path / "guest").mkdir()
    before = printed_tag(tmp_path / "docker/build")

    with (tmp_path / name).open("a") as file:
        file.write("# changed\n")

    assert printed_tag(tmp_path / "docker/build") != before


def test_the_inputs_are_what_the_folder_holds() -> None:
    """A file that is added to docker/ is either an input of the image or known not to be one."""
    others = {"engine", "requirements.in"}
    assert {path.name for path in (ROOT / "docker").iterdir()} - others == set(image.INPUTS)


def test_an_image_without_our_labels_is_not_taken_for_ours() -> None:
    """An image that lacks its identity is reported as missing, with the commands that mend it."""
    with pytest.raises(ImageMissing, match=r"no label mendbench\.identity.*docker rmi"):
        image._info("mendbench-sandbox:0", {"Id": "sha256:0", "Config": {"Labels": None}})


def test_an_unknown_source_is_refused() -> None:
    """A misspelt MENDBENCH_BASE_SOURCE is a usage error, not a silent default."""
    done = subprocess.run(
        ["bash", ROOT / "docker/build", "--print-tag"],
        env={**os.environ, "MENDBENCH_BASE_SOURCE": "mdebstrap"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "auto, registry or mmdebstrap" in done.stderr
