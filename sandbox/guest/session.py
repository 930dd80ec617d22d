"""Home of the zygote for children that need pytest: it waits inside a session that is about to collect.

Configuring pytest and starting a session take longer than a few small tests do. So the zygote does it
once, and every child goes on from there with its own plugin and its own files.
"""

import os
from collections.abc import Callable, Generator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import pytest
from _pytest import fixtures

from . import suite
from .across.grader import Grader
from .collect import Collector
from .run_shared import Recorder
from .zygote import Forker

if TYPE_CHECKING:
    from .mutation.conduct import Conductor

Role: TypeAlias = "Collector | Recorder | Conductor"


def _conductor(_config: pytest.Config) -> Any:
    # Not before it is asked for: every container would wait for what few of them need.
    from .mutation.conduct import Conductor  # noqa: PLC0415

    return Conductor()


ROLES: Mapping[str, Callable[[pytest.Config], Role]] = {
    "collect": Collector.from_warden,
    "shared": Recorder,
    "grader": Grader,
    "suite": _conductor,
}


class Starter:
    """A plugin that begins a role where its session starts anew."""

    def __init__(self, role: Role) -> None:
        self._role = role

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Begin."""
        self._role.begin(session)


class Waiter:
    """The plugin that waits at the door of the collection."""

    def __init__(self, forker: Forker) -> None:
        self._forker = forker
        self._search = _Search()
        self.role: Role | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> Generator[None, object, object]:
        """Wait here; in a child, put its role in force."""
        # It holds a file that leads nowhere; closed, it drops what it gets.
        logging: Any = session.config.pluginmanager.get_plugin("logging-plugin")
        logging.log_file_handler.close()
        self._search.end()
        self.role = role = ROLES[self._forker.wait()](session.config)
        suite.pose_as_pytest()
        plugins = suite.plugins_for(role.source, role.seed)
        if plugins:
            _begin_anew(role, plugins)
        session.config.args = list(role.files)
        session.config.option.collectonly = role.collect_only
        session.config.pluginmanager.register(role)
        role.begin(session)
        return (yield)


def _begin_anew(role: Role, plugins: list[str]) -> NoReturn:
    """These plugins must be there when pytest is configured: a session of its own for them."""
    only = ["--collect-only"] if role.collect_only else []
    status = pytest.main([*suite.ARGUMENTS, *plugins, *only, *role.files], plugins=[role, Starter(role)])
    role.end(int(status))


class _Search:
    """Until its end, the search for fixtures passes plugin modules by that have none.

    Else it looks at every name of each, which is a third of what it takes to configure pytest.
    """

    def __init__(self) -> None:
        self._whole: Callable[..., None] = fixtures.FixtureManager.parsefactories
        setattr(fixtures.FixtureManager, "parsefactories", self._short(self._whole))  # noqa: B010 -- until the end

    def end(self) -> None:
        """Let everything be searched."""
        setattr(fixtures.FixtureManager, "parsefactories", self._whole)  # noqa: B010 -- as it was

    @staticmethod
    def _short(whole: Callable[..., None]) -> Callable[..., None]:
        def parsefactories(manager: Any, *args: Any, **kwargs: Any) -> None:
            holder = kwargs.get("holder")
            if not isinstance(holder, ModuleType) or _has_fixtures(holder):
                whole(manager, *args, **kwargs)

        return parsefactories


def _has_fixtures(module: ModuleType) -> bool:
    return any(type(value) is fixtures.FixtureFunctionDefinition for value in vars(module).values())


def live(forker: Forker) -> None:
    """Configure pytest and start a session; in a child, finish it."""
    waiter = Waiter(forker)
    status = int(pytest.main(suite.ARGUMENTS, plugins=[waiter]))
    if waiter.role is None:
        forker.complain(RuntimeError(f"pytest ended with status {status} before it was asked for anything"))
        os._exit(1)
    waiter.role.end(status)
