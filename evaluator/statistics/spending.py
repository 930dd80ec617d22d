"""What samples cost: calls, tokens, seconds; per sample, per solved task, and per task that repair solved."""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from evaluator.statistics.differences import numbered
from evaluator.statistics.intervals import ratio_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the scored samples of a group cost. Times in seconds; None where a ratio has no meaning.

    Per solved task = total over all scored samples divided by the samples solved in the end.
    """

    samples: int
    solved: int
    calls: int
    tokens: int
    calls_without_usage: int
    """Calls whose tokens the server did not report: with any, `tokens` is a lower bound."""
    model_s: float
    sandbox_s: float
    tokens_per_solved_low: float | None
    tokens_per_solved_high: float | None
    """95 % interval by bootstrap over tasks; the upper end is None where it is not bounded."""
    repair_tokens: int
    """Tokens of the calls beyond the first."""
    solved_by_repair: int
    """Samples solved in the end minus samples that the first call solved."""
    latency: dict[str, float | None]
    """Median and 95th percentile of seconds per call: model_p50, model_p95, sandbox_p50, sandbox_p95."""

    def per_sample(self, amount: float) -> float | None:
        """Share an amount among the samples."""
        return amount / self.samples if self.samples else None

    def per_solved(self, amount: float) -> float | None:
        """Share an amount among the samples that were solved."""
        return amount / self.solved if self.solved else None

    @property
    def repair_tokens_per_solved(self) -> float | None:
        """Tokens of repairs for each sample that they solved on balance; None where they solved none."""
        return self.repair_tokens / self.solved_by_repair if self.solved_by_repair > 0 else None


def cost_of(scored: pl.DataFrame, attempts: pl.DataFrame) -> Cost:
    """Add up what scored draws and their attempts cost, looked-up results included."""
    low, high = _per_solved(scored)
    return Cost(
        samples=len(scored),
        solved=int(scored["success"].sum()),
        calls=int(scored["calls"].sum()),
        tokens=int(scored["tokens"].sum()),
        calls_without_usage=int(scored["no_usage"].sum()),
        model_s=float(scored["model_s"].sum()),
        sandbox_s=float(scored["sandbox_s"].sum()),
        tokens_per_solved_low=low,
        tokens_per_solved_high=high,
        repair_tokens=int(scored["repair_tokens"].sum()),
        solved_by_repair=int(scored["success"].sum()) - int(scored["first_success"].sum()),
        latency={
            f"{what}_p{round(100 * q)}": attempts[f"{what}_s"].quantile(q, "nearest")
            for what in ("model", "sandbox")
            for q in (0.5, 0.95)
        },
    )


def _per_solved(scored: pl.DataFrame) -> tuple[float | None, float | None]:
    if not scored["success"].any():
        return None, None
    sums = scored.group_by("family_no", maintain_order=True).agg(
        pl.col("tokens").sum(), pl.col("success").sum()
    )
    above, below = (sums[name].to_numpy().astype(np.float64) for name in ("tokens", "success"))
    low, high = ratio_interval(above, below, numbered(sums["family_no"]))
    return low, high if math.isfinite(high) else None
