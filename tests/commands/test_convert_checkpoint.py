"""The converters as a user meets them: a file that fits its recipe, or one sentence."""
from pathlib import Path

import pytest
import torch
from bevfusion_weights import published_weights

from geminifusion3d.checkpoints.checkpoint_file import read_checkpoint

REPO = Path(__file__).parents[2]
LIDAR_RECIPE = REPO / 'configs/bevfusion_lidar_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d.py'
CENTERPOINT_RECIPE = REPO / 'configs/centerpoint_lidar_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d.py'


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Writes random weights in the format of BEVFusion's LiDAR checkpoint."""
    torch.save({'meta': {}, 'state_dict': published_weights('lidar')}, tmp_path / 'theirs.pth')
    return tmp_path / 'theirs.pth'


def test_a_converted_checkpoint_fits_its_recipe(gemini3d, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / 'ours.pth'
    done = gemini3d('convert-checkpoint', checkpoint, out, '--config', LIDAR_RECIPE)
    assert (done.returncode, done.stdout.strip().splitlines()[-1]) == (
        0, f'{len(published_weights("lidar")) + 1} weights of mmdet3d\'s BEVFusion project converted: {out}')
    assert 'lidar_branch.encoder.conv_input.0.weight' in read_checkpoint(out)['state_dict']


def test_a_recipe_that_does_not_fit_leaves_no_file(gemini3d, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / 'ours.pth'
    done = gemini3d('convert-checkpoint', checkpoint, out, '--config', CENTERPOINT_RECIPE)
    assert done.returncode == 2
    assert 'is of another config' in done.stderr and 'bbox_head: ' in done.stderr
    assert not out.exists()


def test_lidar_only_is_of_bevfusion_alone(gemini3d, tmp_path: Path) -> None:
    names = ('pts_middle_encoder.conv_input.0.weight', 'pts_bbox_head.task_heads.0.reg.0.conv.weight')
    torch.save({'state_dict': {name: torch.zeros(1) for name in names}}, tmp_path / 'theirs.pth')
    done = gemini3d('convert-checkpoint', tmp_path / 'theirs.pth', tmp_path / 'ours.pth', '--lidar-only')
    assert done.returncode == 2
    assert done.stderr.count('\n') == 1 and '--lidar-only and --without-fuser are for BEVFusion' in done.stderr


def test_a_checkpoint_of_somebody_else_is_named(gemini3d, tmp_path: Path) -> None:
    torch.save({'state_dict': {'layer.weight': torch.zeros(1)}}, tmp_path / 'theirs.pth')
    done = gemini3d('convert-checkpoint', tmp_path / 'theirs.pth', tmp_path / 'ours.pth')
    assert done.returncode == 2 and 'judged by the names of its weights' in done.stderr
