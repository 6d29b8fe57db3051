"""The converters as a user meets them: a file that fits its recipe, or one sentence."""
import runpy
import sys
from pathlib import Path
from typing import Any, Callable, Tuple

import pytest
import torch
from bevfusion_weights import published_weights

from geminifusion3d.checkpoints.checkpoint_file import read_checkpoint

REPO = Path(__file__).parents[2]
LIDAR_RECIPE = REPO / 'configs/bevfusion_lidar_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d.py'
CENTERPOINT_RECIPE = REPO / 'configs/centerpoint_lidar_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d.py'


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Callable[..., Tuple[int, str]]:
    """Runs a converter as `python tools/model_converters/TOOL ARGUMENTS` does, in this process."""
    def run_tool(tool: str, *arguments: Any) -> Tuple[int, str]:
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(REPO / 'tools/model_converters' / tool), run_name='__main__')
        captured = capsys.readouterr()
        return end.value.code, captured.out + captured.err
    return run_tool


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Writes random weights in the format of BEVFusion's LiDAR checkpoint."""
    torch.save({'meta': {}, 'state_dict': published_weights('lidar')}, tmp_path / 'theirs.pth')
    return tmp_path / 'theirs.pth'


def test_a_converted_checkpoint_fits_its_recipe(run, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / 'ours.pth'
    code, told = run('convert_bevfusion.py', checkpoint, out, '--config', LIDAR_RECIPE)
    assert (code, told.strip().splitlines()[-1]) == (
        0, f'{len(published_weights("lidar")) + 1} weights of mmdet3d\'s BEVFusion project converted: {out}')
    assert 'lidar_branch.encoder.conv_input.0.weight' in read_checkpoint(out)['state_dict']


def test_a_recipe_that_does_not_fit_leaves_no_file(run, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / 'ours.pth'
    code, told = run('convert_bevfusion.py', checkpoint, out, '--config', CENTERPOINT_RECIPE)
    assert code == 2
    assert 'is of another config' in told and 'bbox_head: ' in told
    assert not out.exists()


def test_the_wrong_converter_names_the_right_one(run, checkpoint: Path, tmp_path: Path) -> None:
    code, told = run('convert_centerpoint.py', checkpoint, tmp_path / 'ours.pth')
    assert code == 2
    assert told.count('\n') == 1 and 'convert_bevfusion.py' in told


@pytest.mark.parametrize('tool', ['convert_bevfusion.py', 'convert_centerpoint.py'])
def test_help_shows_an_example(run, tool: str) -> None:
    code, told = run(tool, '--help')
    assert code == 0
    assert f'example: python tools/model_converters/{tool}' in told
