"""Measures operators, input and whole models side by side: python tools/benchmark.py WHAT; see --help."""
from geminifusion3d.benchmark.command import benchmark
from geminifusion3d.cli import run_cli

if __name__ == '__main__':
    run_cli(benchmark)
