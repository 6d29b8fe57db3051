"""One module a sub-command of `tools/benchmark.py`; see the parent package."""
