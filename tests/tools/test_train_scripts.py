"""The shell commands pass on their arguments in the order of mmdet3d's, and fail with one line."""
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest
from toy_training import write_config

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str, **variables: str) -> 'subprocess.CompletedProcess[str]':
    """Runs a shell script of tools/ with extra variables."""
    paths = [str(ROOT / 'tests/support'), str(ROOT / 'projects/GeminiFusion3D')]
    environment: Dict[str, str] = {**os.environ, 'PYTHONPATH': os.pathsep.join(paths), **variables}
    return subprocess.run(['bash', str(ROOT / 'tools' / command[0]), *command[1:]], text=True,
                          capture_output=True, env=environment, timeout=250)


def test_dist_train_passes_nodes_and_arguments_on() -> None:
    said = run('dist_train.sh', 'a.py', '4', '--resume', 'auto', PYTHON='echo', NNODES='2',
               NODE_RANK='1', MASTER_ADDR='node0', PORT='1234').stdout.split()
    assert said == ['-m', 'geminifusion3d.commands.launch', '--nnodes=2', '--node_rank=1',
                    '--nproc_per_node=4', '--master_addr=node0', '--master_port=1234',
                    f'{ROOT}/tools/train.py', 'a.py', '--launcher', 'pytorch', '--resume', 'auto']


def test_dist_test_defaults_to_one_machine() -> None:
    said = run('dist_test.sh', 'a.py', 'b.pth', '2', PYTHON='echo').stdout.split()
    assert said == ['-m', 'geminifusion3d.commands.launch', '--nnodes=1', '--node_rank=0',
                    '--nproc_per_node=2', '--master_addr=127.0.0.1', '--master_port=29500',
                    f'{ROOT}/tools/test.py', 'a.py', 'b.pth', '--launcher', 'pytorch']


@pytest.mark.parametrize('gpus_per_node, gres', [('4', ['--gres=gpu:4']), ('0', [])])
def test_slurm_train_asks_for_gpus_where_there_are_some(tmp_path: Path, gpus_per_node: str,
                                                        gres: list) -> None:
    (tmp_path / 'srun').write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / 'srun').chmod(0o755)
    said = run('slurm_train.sh', 'part', 'job', 'a.py', 'work', '--amp', GPUS='8', PYTHON='py',
               GPUS_PER_NODE=gpus_per_node, TASKS_PER_NODE='4', SRUN_ARGS='--exclusive -t 10',
               PATH=f'{tmp_path}:{os.environ["PATH"]}').stdout.split()
    assert said == ['-p', 'part', '--job-name=job', '--ntasks=8', '--ntasks-per-node=4',
                    '--cpus-per-task=5', '--kill-on-bad-exit=1', '--exclusive', '-t', '10', *gres,
                    'py', '-u', f'{ROOT}/tools/train.py', 'a.py', '--work-dir', 'work',
                    '--launcher', 'slurm', '--amp']


def test_slurm_test_takes_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / 'srun').write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / 'srun').chmod(0o755)
    said = run('slurm_test.sh', 'part', 'job', 'a.py', 'b.pth', PYTHON='py',
               PATH=f'{tmp_path}:{os.environ["PATH"]}').stdout
    assert said.endswith(f'py -u {ROOT}/tools/test.py a.py b.pth --launcher slurm\n')


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh',
                                    'slurm_test.sh'])
def test_scripts_explain_themselves(script: str) -> None:
    without = run(script)
    assert without.returncode == 2
    assert 'usage:' in without.stderr and 'example' in without.stderr
    assert run(script, '--help').returncode == 0


def test_two_cpu_processes_train(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    trained = run('dist_train.sh', str(config), '2', '--work-dir', str(tmp_path / 'run'),
                  PYTHON=sys.executable, PORT='29677')
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / 'run/epoch_4.pth').exists()
