"""Evaluates a checkpoint with corrupted sensors: the ten types and three severities of MultiCorrupt.

Samples are corrupted while they are loaded, the same way in every run; nothing is copied. Finished
evaluations are kept, so that the same command goes on after Ctrl-C or a kill. At the end stand the
resistance abilities (the share of the clean score that is kept), in the terminal, in robustness.json
and, beside MultiCorrupt's published table, in robustness.md.
"""
from geminifusion3d.cli import run_cli
from geminifusion3d.robustness.command import measure_robustness, parse_robustness_arguments

EXAMPLE = ('Example:\n    python tools/test_robustness.py '
           'configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py \\\n        '
           'work_dirs/demo/epoch_18.pth --work-dir work_dirs/demo/robustness')

if __name__ == '__main__':
    run_cli(lambda: measure_robustness(
        parse_robustness_arguments(description=__doc__, example=EXAMPLE)))
