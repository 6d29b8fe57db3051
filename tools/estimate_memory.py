"""Estimates the memory of a training step on the CPU: python tools/estimate_memory.py CONFIG."""
from geminifusion3d.cli import run_cli
from geminifusion3d.engine.memory_command import estimate_memory

if __name__ == '__main__':
    run_cli(estimate_memory)
