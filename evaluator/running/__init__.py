"""A run in the making: plan, preflight, samples, scheduler."""
