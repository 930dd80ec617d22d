"""Which model is meant, where it is, and which key goes there."""

import pytest

from evaluator.config import Config, ModelSection, load_config, overlay
from evaluator.errors import ConfigProblem, UsageProblem
from evaluator.running.manifest import redact
from evaluator.running.models import named_models
from evaluator.running.plan import make_plan

CLOUD = ModelSection(
    name="gpt", base_url="https://cloud.example/v1", api_key_env="CLOUD_KEY", extra_body={"top_k": 3}
)


def test_key_belongs_to_its_address():
    """A configured key and its parameters are not taken to another server of a model with that name."""
    (model,) = named_models(Config(models=(CLOUD,)), ["gpt@http://10.0.0.5:8000/v1"])

    assert model.api_key_env is None
    assert model.extra_body == {}


def test_configured_section_is_found_by_its_address():
    """Named with its own address, or by its name alone, a configured model brings its section along."""
    config = Config(models=(CLOUD,))

    assert named_models(config, ["gpt@https://cloud.example/v1"]) == (CLOUD,)
    assert named_models(config, ["gpt"]) == (CLOUD,)
    assert named_models(config, ["gpt"], "OTHER")[0].api_key_env == "OTHER"


def test_name_on_two_configured_servers():
    """A name that two sections share is not guessed: the commands are listed."""
    other = CLOUD.model_copy(update={"base_url": "http://127.0.0.1:1/v1"})

    with pytest.raises(UsageProblem, match=r"gpt@http://127\.0\.0\.1:1/v1"):
        named_models(Config(models=(CLOUD, other)), ["gpt"])


def test_labels_tell_servers_apart_and_hold_no_password():
    """Models of one name are told apart by host, and by path where need be, without credentials."""
    urls = ("http://u:s3cret@h1:8000/v1", "http://h1:8000/b/v1", "http://h2:8000/v1")
    models = [ModelSection(name="m", base_url=url) for url in urls]

    plan = make_plan(Config(models=tuple(models)), models)

    labels = [model.entry.label for model in plan.models]
    assert len(set(labels)) == 3
    assert "s3cret" not in repr([model.entry for model in plan.models])
    assert "s3cret" not in repr(redact(plan.config.model_dump(mode="json")))


@pytest.mark.parametrize("key", ["api_key", "Authorization", "access_token", "stream", "messages"])
def test_extra_body_is_no_place_for(key):
    """Keys that are secret, or ours to set, are refused in extra_body with their path."""
    with pytest.raises(ConfigProblem, match=r"models\.0\.extra_body"):
        overlay({"models": [{"name": "m", "base_url": "x", "extra_body": {key: "v"}}]}, {}, "bench.toml")


def test_harmless_extra_body_is_kept():
    """Parameters that only sound like secrets go through, into the request and the record alike."""
    extra = {"prompt_cache_key": "a", "tokenizer": "b"}
    config = Config(models=(ModelSection(name="m", base_url="http://h/v1", extra_body=extra),))

    assert redact(config.model_dump(mode="json"))["models"][0]["extra_body"] == extra


def test_flags_go_over_the_file(tmp_path):
    """What the command line says stands; what it leaves open comes from the file, then the defaults."""
    file = tmp_path / "bench.toml"
    file.write_text("[bench]\nsamples = 3\nlimit = 2\n")

    config = load_config(file, {"bench": {"samples": 5, "limit": None}})

    assert (config.bench.samples, config.bench.limit, config.repair.repairs) == (5, 2, 3)
