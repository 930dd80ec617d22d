"""mendbench models: what is reachable."""

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator.safe_text import one_line
from evaluator.servers.find import ServerModels, discover, list_models


@click.command("models")
@click.argument("base_url", nargs=-1)
@click.option("--json", "as_json", is_flag=True)
def command(base_url: tuple[str, ...], *, as_json: bool) -> int:
    """List the models of BASE_URLs; without any, of the servers on their usual ports on this machine."""
    servers = [list_models(url) for url in base_url] if base_url else list(discover())
    if as_json:
        click.echo(json.dumps([_plain(server) for server in servers], indent=1))
        return 0
    if not servers:
        click.echo(
            "no model server answers on its usual port "
            "(LM Studio 1234, Ollama 11434, vLLM 8000, llama.cpp 8080)"
        )
        return 0
    console = Console()
    for server in servers:
        console.print(_table(server))
        if server.problem:
            console.print(Text(one_line(server.problem, 400)))
    return 0


def _table(server: ServerModels) -> Table:
    table = Table(title=Text(f"{server.shown} {server.kind}".strip()), title_justify="left")
    for name in ("model", "loaded", "context", "chat"):
        table.add_column(name)
    for model in server.models:
        loaded = "?" if model.loaded is None else "yes" if model.loaded else "no"
        context = "?" if model.context is None else str(model.context)
        table.add_row(Text(one_line(model.id)), loaded, context, "yes" if model.chat else "no")
    return table


def _plain(server: ServerModels) -> dict[str, Any]:
    return {
        "base_url": server.shown,
        "kind": server.kind,
        "problem": server.problem,
        "models": [
            {"id": model.id, "loaded": model.loaded, "context": model.context, "chat": model.chat}
            for model in server.models
        ],
    }
