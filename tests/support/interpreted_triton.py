"""Runs a script in a process of its own, in which Triton's kernels work on CPU tensors."""
import os
import subprocess
import sys


def run_interpreted(script: str) -> str:
    """Returns what the script prints; a script that fails fails the test with its traceback.

    Triton decides when it is imported whether it interprets, which is why this takes a process.
    """
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, timeout=240,
                          env={**os.environ, 'TRITON_INTERPRET': '1', 'OMP_NUM_THREADS': '1'})
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return done.stdout
