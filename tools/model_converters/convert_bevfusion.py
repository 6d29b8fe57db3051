"""Converts BEVFusion checkpoints of mmdet3d: convert_bevfusion.py CHECKPOINT OUT; see --help."""
from geminifusion3d.cli import run_cli
from geminifusion3d.model_converters.commands import bevfusion_command

if __name__ == '__main__':
    run_cli(bevfusion_command)
