"""The arithmetic of the benchmark: what it says must follow from what it measured."""

import math

import pytest

from perf import cpu, gates, results, stats, tables
from perf.crossing import Crossing
from perf.kills import Aftermath
from perf.latency import Latencies, WrongVerdictError, timed
from perf.payload import RIGHT, WRONG
from perf.replay_real import without_lent
from perf.saturated import Window
from perf.ways import Fork, Name, NoVerdictError, Subprocess
from repair.cleaning.clean import Asked, clean_reply

NONE = cpu.Spent(total=0.1, own=0.005, dockerd=0.0, containerd=0.0, containers=0.05, rest=0.045)


def window(way, per_s, workers=2, spent=NONE):
    return Window(way=way, workers=workers, attempts=10, per_s=per_s, cpu=spent, idle=0.01)


def kill(running):
    return Aftermath(
        killed_after_s=1.0, running_at_kill=4, last_seen_s=0.2, running=running, left=4, left_after_reaping=0
    )


def run(
    *,
    pooled_s=0.05,
    shared_s=0.05,
    shared=NONE,
    call_us=25.0,
    speed=300.0,
    strict=5.0,
    reuse=40.0,
    running=0,
    spent=NONE,
):
    spaced = {Name.COLD: [0.4, 0.5, 0.6], Name.POOLED: [pooled_s] * 3, Name.SHARED: [shared_s] * 3}
    latencies = Latencies(spaced=spaced)
    crossing = Crossing(call_us=call_us, bare_us=10.0, megabytes_per_s=speed)
    windows = [
        window(Name.USUAL, 2.5),
        window(Name.POOLED, strict, spent=spent),
        window(Name.POOLED, strict / 2, workers=1, spent=spent),
        window(Name.SHARED, strict / 2, workers=1, spent=shared),
        window(Name.REUSED, reuse),
        window(Name.SUBPROCESS, 6.0),
    ]
    return results.build(latencies, windows, [kill(0), kill(running)], crossing)


def missed(found):
    return [gate.what.split(",")[0] for gate in gates.evaluate(found) if not gate.passed]


def test_percentiles_are_interpolated():
    """The 95th of 0 to 100 is 95, and one value is every percentile."""
    assert stats.percentile(list(range(101)), 95) == pytest.approx(95)
    assert stats.percentile([3.0], 95) == 3.0


def test_attempts_over_an_edge_count_by_their_share():
    """Whole inside, half at the begin, a quarter at the end, none outside, and half of one that spans it all."""
    spans = [(12.0, 13.0), (9.0, 11.0), (19.0, 23.0), (1.0, 2.0), (5.0, 25.0)]

    assert stats.done_within(spans, 10.0, 20.0) == pytest.approx(1 + 0.5 + 0.25 + 0 + 0.5)


def test_cpu_parts_add_up_to_the_total():
    """What is idle noise is taken off, and the rest is what no named part used."""
    before = cpu.Reading(at=0, total=10, own=1, dockerd={1: 2, 2: 9}, containerd={3: 3}, containers=4)
    after = cpu.Reading(at=10, total=18, own=1.5, dockerd={1: 3}, containerd={3: 3.5}, containers=7)

    spent = cpu.between(before, after, attempts=2, idle=0.1)

    assert spent.total == pytest.approx(3.5)
    assert spent.own == pytest.approx(0.25)
    # The other engine has gone meanwhile.
    assert spent.dockerd == pytest.approx(0.5)
    named = spent.own + spent.dockerd + spent.containerd + spent.containers
    assert spent.rest == pytest.approx(spent.total - named)


def test_cpu_counters_of_this_machine_go_up():
    """Work of this process shows in its own share and in the total."""
    before = cpu.read()
    math.factorial(60_000)
    after = cpu.read()

    spent = cpu.between(before, after, attempts=1)

    assert spent.own > 0
    assert spent.total >= 0


def test_a_good_run_passes_all_gates():
    """Nothing is missed when every ratio is kept."""
    assert missed(run()) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"pooled_s": 0.08}, "pooled hand-off to verdict / cold"),
        ({"strict": 3.6, "reuse": 30.0}, "pooled / usual way"),
        ({"reuse": 24.0}, "reuse / pooled"),
        ({"strict": 0.5, "reuse": 5.0}, "reuse / plain subprocess"),
        ({"pooled_s": 0.06}, "level process / shared"),
        (
            {"spent": cpu.Spent(total=1.3, own=0, dockerd=0, containerd=0, containers=1.3, rest=0)},
            "level process / shared",
        ),
        ({"call_us": 31.0}, "proxied call / bare ping-pong"),
        ({"speed": 90.0}, "large byte strings there and back"),
        ({"running": 1}, "containers that run 5 s after kill -9"),
    ],
)
def test_each_gate_can_be_missed(change, what):
    """A run that breaks one demand misses that gate."""
    assert what in missed(run(**change))


def test_noise_does_not_make_our_own_share_small():
    """A rest below zero, as on a busy machine, is not counted."""
    noisy = cpu.Spent(total=0.01, own=0.02, dockerd=0.02, containerd=0.01, containers=0.05, rest=-0.1)

    assert missed(run(spent=noisy, shared=noisy)) == ["own share of an attempt's CPU time"]


def test_gates_that_lack_their_ways_are_not_run():
    """A run of some ways only says so, and misses nothing."""
    found = gates.evaluate(results.build(Latencies(), [], []))

    assert {gate.word for gate in found} == {"NOT RUN"}


def test_tables_show_every_way_and_gate():
    """The page names each way that ran and each gate's outcome."""
    found = run()
    page = tables.render(found, gates.evaluate(found), {"cpu": "a fast one"})

    assert all(name in page for name in (*found.spaced, "PASS", "a fast one", "usual way"))


@pytest.mark.parametrize("way", [Subprocess, Fork])
def test_ways_without_a_container_tell_right_from_wrong(way):
    """Both bare ways pass the payload and fail its copy with a bug."""
    opened = way()
    try:
        timed(opened, RIGHT)
        timed(opened, WRONG)
        timed(opened, RIGHT)
    finally:
        opened.close()


def test_a_misjudging_way_ends_the_benchmark():
    """Figures of a way that takes a bug for right are worth nothing."""

    class Credulous(Subprocess):
        def attempt(self, payload):
            return True

    with pytest.raises(WrongVerdictError, match="Credulous"):
        timed(Credulous(), WRONG)


def test_a_payload_that_cannot_be_collected_is_no_verdict():
    """Pytest's other exit codes say nothing of the payload."""
    from dataclasses import replace

    with pytest.raises(NoVerdictError, match="ended with 2"):
        Subprocess().attempt(replace(RIGHT, tests="import nothing_of_that_name\n"))


@pytest.mark.parametrize(
    ("code", "lends"),
    [
        ('"""Doc."""\nimport re\n\ndef f(x: List[int]) -> float:\n    return math.sqrt(sum(x))\n', True),
        ("import math\n\ndef f(x):\n    return math.sqrt(x)\n", False),
    ],
)
def test_recorded_replies_are_graded_without_lent_imports(code, lends):
    """What cleaning put in front is taken out again, and nothing else."""
    cleaned = clean_reply(f"```python\n{code}```\n", asked=Asked(required=("f",)))

    assert (cleaned.code != code) is lends
    assert without_lent(cleaned) == code
