"""Rows and columns of what the tables say about a camera."""
from pathlib import Path

from nuscenes.nuscenes import NuScenes
from tiny_nuscenes import token, write_tiny_nuscenes

from geminifusion3d.data_converters.nuscenes_infos import scene_infos


def test_a_cameras_matrix_and_size_are_those_of_the_tables(tmp_path: Path):
    nusc = NuScenes('v1.0-mini', str(write_tiny_nuscenes(tmp_path, keyframes=1)), verbose=False)
    info, = scene_infos(nusc, token('scene-0061'), max_sweeps=0)
    for camera in info['images'].values():
        assert camera['cam2img'] == [[1266, 0, 816], [0, 1266, 491], [0, 0, 1]]
        assert (camera['height'], camera['width']) == (900, 1600)
