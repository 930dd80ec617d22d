"""All looks in their order: this machine first, then each Docker host from its address to evil programs."""

from collections.abc import Callable, Generator, Iterator, MutableMapping
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING

from evaluator.doctor import engine, limits, machine, walls
from evaluator.doctor.finding import Finding, State, Wishes, bad, looked, ok
from evaluator.doctor.inside import look_inside
from evaluator.doctor.leftovers import leftovers
from evaluator.doctor.programs import run_programs
from evaluator.doctor.unreachable import explain
from sandbox.backend import Sandbox
from sandbox.connect import connect
from sandbox.errors import EngineUnavailable, ImageMissing
from sandbox.hosts import DockerHost
from sandbox.tunnel import reached

if TYPE_CHECKING:
    import docker

PATIENCE_S = 20
"""How long an engine may take to say something of itself."""

OpenSandbox = Callable[[DockerHost], Sandbox]
Images = MutableMapping[str, str]
"""Identities of the images seen so far, by the address of their engine."""


def examine(wishes: Wishes, open_sandbox: OpenSandbox) -> Iterator[Finding]:
    """Yield the findings, each as soon as it is known; what cannot be looked at is a finding, too.

    Args:
        wishes: what runs will ask of the machine.
        open_sandbox: makes a sandbox on one Docker host; it is closed here.
    """
    yield from looked("runs", lambda: machine.disk(wishes.runs_dir))
    yield from looked("clock", machine.clock)
    images: dict[str, str] = {}
    for host in wishes.hosts:
        for finding in examine_host(host, wishes, open_sandbox, images):
            yield replace(finding, host=engine.address_of(host))
    yield from looked("models", machine.model_servers)


def examine_host(
    host: DockerHost, wishes: Wishes, open_sandbox: OpenSandbox, images: Images
) -> Iterator[Finding]:
    """Yield the findings on one Docker host; note its image in `images`."""
    with ExitStack() as stack:
        try:
            near = stack.enter_context(reached(host))
            client = stack.enter_context(closing(connect(near, PATIENCE_S)))
        except EngineUnavailable as exc:
            yield explain(host, exc)
            return
        except Exception as exc:  # noqa: BLE001 - an address may be nonsense in many ways
            mend = "correct DOCKER_HOST, or `hosts` in [sandbox]"
            yield bad("engine", f"{engine.address_of(host)}: {exc}", mend)
            return
        patient = yield from _asked(client, host)
        if patient:
            yield from _own_words(patient, wishes)
        yield from looked("leftovers", lambda: leftovers(client, host))
    kernel = str(patient.info.get("KernelVersion") or "") if patient else ""
    yield from looked("programs", lambda: _programs(open_sandbox, host, kernel, images))


def _asked(client: "docker.APIClient", host: DockerHost) -> Generator[Finding, None, engine.Engine | None]:
    patients: list[engine.Engine] = []

    def ask() -> Iterator[Finding]:
        patients.append(engine.ask(client, host))
        yield from ()

    yield from looked("engine", ask)
    return patients[0] if patients else None


def _own_words(patient: engine.Engine, wishes: Wishes) -> Iterator[Finding]:
    yield from looked("engine", lambda: engine.identity(patient))
    yield from looked("cgroups", lambda: limits.control_groups(patient))
    yield from looked("runtime", lambda: engine.runtime(patient, wishes))
    yield from looked("seccomp", lambda: walls.seccomp(patient))
    yield from looked("users", lambda: walls.user_namespace(patient))
    yield from looked("swap", lambda: limits.swap(patient))
    yield from looked("memory", lambda: limits.memory(patient, wishes))
    yield from looked("cpus", lambda: limits.cpus(patient, wishes))
    yield from looked("clock", lambda: engine.clock(patient))


def _programs(open_sandbox: OpenSandbox, host: DockerHost, kernel: str, images: Images) -> Iterator[Finding]:
    with open_sandbox(host) as sandbox:
        image = list(looked("image", lambda: _image(sandbox, host, images)))
        yield from image
        if any(finding.state is State.BAD for finding in image):
            return
        yield from looked("walls", lambda: look_inside(sandbox, kernel))
        yield from looked("programs", lambda: run_programs(sandbox))


def _image(sandbox: Sandbox, host: DockerHost, images: Images) -> Iterator[Finding]:
    copy = f"docker save TAG | docker -H {host.url} load"
    try:
        image = sandbox.image()
    except ImageMissing as exc:
        elsewhere = f"\nor copy it from an engine that has it: {copy}" if host.url else ""
        yield bad("image", "the sandbox image is not there", f"{exc}{elsewhere}")
        return
    what = f"image {image.tag}: Python {image.python}, {image.base}, identity {image.identity[:12]}"
    others = {address for address, identity in images.items() if identity != image.identity}
    images[engine.address_of(host)] = image.identity
    if others:
        what += f", which is another than on {', '.join(sorted(others))}"
        yield bad("image", what, f"all engines of a run need the same one: {copy.replace('TAG', image.tag)}")
    else:
        yield ok("image", what)
