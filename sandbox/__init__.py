"""Locked-down throwaway containers: a job goes in, facts come out, a verdict is judged from them."""
