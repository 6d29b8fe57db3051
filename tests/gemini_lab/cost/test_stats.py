"""The statistics tool counts a whole recipe, fills the README's block and names mistakes."""
import json
from pathlib import Path

import numpy as np

RECIPE = 'configs/compare/geminifusion3d_lidar-cam_conv_compare.py'


def test_a_recipe_is_counted_with_a_given_cloud(tmp_path, gemini3d):
    readme, numbers, points = (tmp_path / name for name in ('README.md', 'stats.json', 'sweep.bin'))
    readme.write_text('<!-- model-stats:start -->\nold\n<!-- model-stats:end -->\n')
    np.random.default_rng(0).uniform(-3, 3, size=(500, 5)).astype('<f4').tofile(points)
    ended = gemini3d('stats', RECIPE, '--points', points, '--json', numbers, '--readme', readme)
    assert ended.returncode == 0, ended.stderr
    stages = {row['stage']: row for row in json.loads(numbers.read_text())[Path(RECIPE).stem]}
    # 64 x 64 cells, 3 x 3, 64 to 32 channels; weights without bias, scale and shift of the norm.
    assert stages['fuser']['multiply_adds'] == 64 * 64 * 9 * 64 * 32
    assert stages['fuser']['parameters'] == 9 * 64 * 32 + 2 * 32
    assert stages['lidar_branch']['multiply_adds'] > 0
    assert f'`{Path(RECIPE).stem}`' in readme.read_text() and 'the given cloud' in readme.read_text()


def test_a_file_that_holds_no_points_is_told(tmp_path, gemini3d):
    (tmp_path / 'bad.bin').write_bytes(b'123')
    ended = gemini3d('stats', RECIPE, '--points', tmp_path / 'bad.bin')
    assert ended.returncode == 2
    assert 'is no point file; expected 5 float32 numbers' in ended.stderr
