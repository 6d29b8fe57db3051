"""Files are converted whole or not at all, and say where they come from."""
import hashlib
from pathlib import Path
from typing import Dict

import pytest
import torch
from torch import Tensor

from geminifusion3d.checkpoints.checkpoint_file import read_checkpoint
from geminifusion3d.checkpoints.converters import CONVERTER_VERSION, convert_file
from geminifusion3d.checkpoints.formats import BEVFUSION
from geminifusion3d.errors import UserError

KERNEL = 'pts_middle_encoder.conv_input.0.weight'


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Writes something that looks like a BEVFusion checkpoint."""
    path = tmp_path / 'theirs.pth'
    torch.save({'meta': {'epoch': 6}, 'optimizer': {},
                'state_dict': {f'module.{KERNEL}': torch.zeros(16, 3, 3, 3, 5),
                               'module.bbox_head.shared_conv.weight': torch.zeros(1)}}, path)
    return path


def only_kernel(weights: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Converts without a change."""
    return {'lidar_branch.encoder.conv_input.0.weight': weights[KERNEL]}


def test_the_written_file_says_what_it_was_made_of(source: Path, tmp_path: Path):
    out = tmp_path / 'new' / 'ours.pth'
    convert_file(source, out, convert=only_kernel)
    content = read_checkpoint(out)
    assert content['meta'] == {'converted_from': dict(
        file='theirs.pth', sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
        format=BEVFUSION.name, converter_version=CONVERTER_VERSION)}
    assert list(content['state_dict']) == ['lidar_branch.encoder.conv_input.0.weight']
    # Without this mark mmdet3d would reorder the kernel on loading.
    assert content['state_dict']._metadata['lidar_branch.encoder.conv_input.0'] == {'version': 2}


def test_nothing_is_written_if_the_check_fails(source: Path, tmp_path: Path):
    def refuse(checkpoint: dict) -> None:
        raise UserError(f'{len(checkpoint["state_dict"])} weights do not fit')

    with pytest.raises(UserError, match='1 weights do not fit'):
        convert_file(source, tmp_path / 'out.pth', convert=only_kernel, check=refuse)
    assert [path.name for path in tmp_path.iterdir()] == ['theirs.pth']


def test_another_format_is_named(tmp_path: Path):
    weights = dict.fromkeys(('backbone_3d.weight', 'dense_head.weight'), torch.zeros(1))
    torch.save(weights, tmp_path / 'other.pth')
    with pytest.raises(UserError, match="of OpenPCDet, expected .*CenterPoint.*: no converter is at hand"):
        convert_file(tmp_path / 'other.pth', tmp_path / 'out.pth', convert=only_kernel)
    torch.save({'backbone.weight': torch.zeros(1)}, tmp_path / 'unknown.pth')
    with pytest.raises(UserError, match='is no checkpoint of mmdet3d\'s BEVFusion'):
        convert_file(tmp_path / 'unknown.pth', tmp_path / 'out.pth', convert=only_kernel)


def test_the_source_is_neither_overwritten_nor_downloaded(source: Path, tmp_path: Path):
    with pytest.raises(UserError, match='name another file to write to'):
        convert_file(source, source, convert=only_kernel)
    with pytest.raises(UserError, match='download it'):
        convert_file('https://example.org/theirs.pth', tmp_path / 'out.pth', convert=only_kernel)
    with pytest.raises(UserError, match='does not exist'):
        convert_file(tmp_path / 'none.pth', tmp_path / 'out.pth', convert=only_kernel)
