"""KITTI's folder with frames of a few points and labels, small enough to check by hand."""
from pathlib import Path
from typing import Sequence

import cv2
import numpy as np

SIZE_WH = (320, 96)
FOCAL_PX = 200.0
# A car 10 m ahead, across the road; a pedestrian to the right; a place that nobody labelled.
LABELS = ('Car 0.00 0 -1.57 120.00 40.00 200.00 85.00 1.50 1.60 3.90 0.00 1.70 10.00 0.00',
          'Pedestrian 0.10 1 0.20 230.00 40.00 260.00 75.00 1.80 0.60 0.80 5.00 1.70 12.00 1.57',
          'DontCare -1 -1 -10 10.00 10.00 30.00 30.00 -1 -1 -1 -1000 -1000 -1000 -10')
CALIBRATION = {
    **{f'P{camera}': [FOCAL_PX, 0, 160, 12, 0, FOCAL_PX, 48, 0, 0, 0, 1, 0] for camera in range(4)},
    'R0_rect': [1, 0, 0, 0, 1, 0, 0, 0, 1], 'Tr_velo_to_cam': [0, -1, 0, 0, 0, 0, -1, -0.1, 1, 0, 0, -0.3],
    'Tr_imu_to_velo': [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]}


def write_frame(folder: Path, name: str, *, labels: Sequence[str] = LABELS, seed: int = 0) -> None:
    """Writes the four files of a frame: 2000 points around the car and on the ground, and a grey picture."""
    rng = np.random.default_rng(seed)
    points = rng.uniform([1, -12, -1.7, 0], [25, 12, 0.3, 1], (2000, 4)).astype(np.float32)
    for kind in ('velodyne', 'image_2', 'calib', 'label_2'):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    points.tofile(folder / 'velodyne' / f'{name}.bin')
    picture = rng.integers(0, 255, (SIZE_WH[1], SIZE_WH[0], 3), dtype=np.uint8)
    cv2.imwrite(str(folder / 'image_2' / f'{name}.png'), picture)
    (folder / 'calib' / f'{name}.txt').write_text(''.join(
        f'{key}: {" ".join(map(str, numbers))}\n' for key, numbers in CALIBRATION.items()))
    (folder / 'label_2' / f'{name}.txt').write_text('\n'.join(labels) + '\n')


def write_tiny_kitti(root: Path, *, train: int = 2, val: int = 1) -> Path:
    """Writes a dataset and returns its root."""
    names = [f'{number:06d}' for number in range(train + val)]
    for number, name in enumerate(names):
        write_frame(root / 'training', name, seed=number)
    (root / 'ImageSets').mkdir()
    for split, chosen in (('train', names[:train]), ('val', names[train:])):
        (root / 'ImageSets' / f'{split}.txt').write_text('\n'.join(chosen) + '\n')
    return root
