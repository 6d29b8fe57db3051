"""Converts CenterPoint checkpoints of mmdet3d: convert_centerpoint.py CHECKPOINT OUT; see --help."""
from geminifusion3d.cli import run_cli
from geminifusion3d.model_converters.commands import centerpoint_command

if __name__ == '__main__':
    run_cli(centerpoint_command)
