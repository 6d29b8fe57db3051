"""KITTI's text files: labels and calibration of one frame.

Source: object development kit, readme.txt. Camera frame: x right, y down, z forward; a box stands on its
location, `rotation_y` turns about y, 0 along x. Everything is of the left colour camera, number 2, after
rectification.
"""
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
from jaxtyping import Float

from ..errors import UserError

CLASSES = ('Pedestrian', 'Cyclist', 'Car', 'Van', 'Truck', 'Person_sitting', 'Tram', 'Misc')
DONT_CARE = 'DontCare'
ROTATION_TOLERANCE = 1e-2
FARTHEST_MOUNT_M, LARGEST_ANGLE_RAD = 100.0, 2 * np.pi + 1e-2
MATRICES = {'P0': (3, 4), 'P1': (3, 4), 'P2': (3, 4), 'P3': (3, 4), 'R0_rect': (3, 3),
            'Tr_velo_to_cam': (3, 4), 'Tr_imu_to_velo': (3, 4)}
# Of easy, moderate and hard objects; what is beyond the last is not scored.
MIN_HEIGHT_PX, MAX_OCCLUSION, MAX_TRUNCATION = (40, 25, 25), (0, 1, 2), (0.15, 0.3, 0.5)


class Label(NamedTuple):
    """One line of a label or result file.

    Attributes:
        name: of the class.
        truncated: share that lies outside the picture, 0 to 1.
        occluded: 0 visible, 1 partly, 2 largely hidden, 3 unknown.
        alpha: angle at which the camera sees the object, in radians.
        box_px: left, top, right, bottom in the picture.
        size_hwl_m: height, width, length.
        location_cam_m: middle of the underside.
        rotation_y: in radians.
        score: of a detection; 0 in ground truth.
    """

    name: str
    truncated: float
    occluded: int
    alpha: float
    box_px: Tuple[float, ...]
    size_hwl_m: Tuple[float, ...]
    location_cam_m: Tuple[float, ...]
    rotation_y: float
    score: float = 0.0

    def line(self) -> str:
        """Returns the line of a label file, without score and end."""
        numbers = (*self.box_px, *self.size_hwl_m, *self.location_cam_m, self.rotation_y)
        return ' '.join([self.name, f'{self.truncated:.2f}', str(self.occluded), f'{self.alpha:.2f}',
                         *(f'{number:.2f}' for number in numbers)])

    def difficulty(self) -> int:
        """Returns 0, 1, 2 for easy, moderate, hard, and -1 for what is not scored."""
        height_px = self.box_px[3] - self.box_px[1]
        fits = [height_px > least_px and self.occluded <= occlusion and self.truncated <= truncation
                for least_px, occlusion, truncation in zip(MIN_HEIGHT_PX, MAX_OCCLUSION, MAX_TRUNCATION)]
        return fits.index(True) if any(fits) else -1


def read_labels(path: Path) -> List[Label]:
    """Reads a label file.

    Args:
        path: the file.

    Raises:
        UserError: if it cannot be read, or a line has not 15 fields, or 16 with a score.
    """
    labels = []
    for number, line in enumerate(_lines(path), start=1):
        fields = line.split()
        try:
            name, truncated, occluded = fields[0], float(fields[1]), int(float(fields[2]))
            numbers = [float(field) for field in fields[3:]]
        except (IndexError, ValueError) as error:
            raise UserError(f'{path}, line {number}: {error}; expected a class and 14 numbers') from error
        if len(numbers) not in (12, 13) or not np.isfinite(numbers).all():
            raise UserError(f'{path}, line {number} has {len(fields)} fields; expected 15, or 16 with a '
                            'score, all finite')
        # What nobody labelled has the angle -10.
        if name != DONT_CARE and abs(numbers[11]) > LARGEST_ANGLE_RAD:
            raise UserError(f'{path}, line {number} has rotation_y {numbers[11]:g}; expected radians')
        labels.append(Label(name, truncated, occluded, numbers[0], tuple(numbers[1:5]), tuple(numbers[5:8]),
                            tuple(numbers[8:11]), *numbers[11:]))
    return labels


def read_calibration(path: Path) -> Dict[str, Float[np.ndarray, '4 4']]:
    """Reads a calibration file; every matrix is extended to 4 x 4.

    Args:
        path: the file.

    Raises:
        UserError: if it cannot be read, lacks a matrix or holds another one than a camera has.
    """
    rows = dict(line.split(':', 1) for line in _lines(path) if ':' in line)
    matrices = {}
    for name, shape in MATRICES.items():
        try:
            numbers = np.array(rows[name].split(), dtype=np.float64).reshape(shape)
            _check_matrix(name, numbers)
        except (KeyError, ValueError) as error:
            raise UserError(f'{path} lacks a sound {name} with {shape[0]} x {shape[1]} numbers ({error!r}); '
                            "expected KITTI's calibration of the object benchmark") from error
        matrices[name] = np.eye(4)
        matrices[name][:shape[0], :shape[1]] = numbers
    return matrices


def _check_matrix(name: str, matrix: np.ndarray) -> None:
    """Raises ValueError for what is no projection, rotation or pose."""
    if not np.isfinite(matrix).all():
        raise ValueError('it holds a number that is not finite')
    if name.startswith('P'):
        if not (min(matrix[0, 0], matrix[1, 1]) > 0 and np.allclose(matrix[2, :3], (0, 0, 1), atol=1e-3)):
            raise ValueError('it is no projection of a camera: focal lengths above 0, last row 0 0 1')
    else:
        rotation = matrix[:, :3]
        if np.abs(rotation @ rotation.T - np.eye(3)).max() > ROTATION_TOLERANCE or (
                np.linalg.det(rotation) < 0):
            raise ValueError('it is no rotation with a translation')
        if matrix.shape[1] > 3 and np.linalg.norm(matrix[:, 3]) > FARTHEST_MOUNT_M:
            raise ValueError('it moves farther than a car is long; expected metres')


def read_frame_names(path: Path) -> Sequence[str]:
    """Reads a list of frames, such as ImageSets/train.txt.

    Args:
        path: the file.

    Raises:
        UserError: if it cannot be read, is empty, or holds anything but numbers of frames.
    """
    names = [line.strip() for line in _lines(path)]
    odd = [name for name in names if not (name.isascii() and name.isdigit())]
    if odd or not names:
        raise UserError(f'{path} lists {odd[0] if odd else "nothing"!r}; expected numbers of frames, such as '
                        '000007, one a line')
    return names


def _lines(path: Path) -> List[str]:
    try:
        return [line for line in path.read_text('ascii').splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'cannot read {path} ({error}); expected a text file of KITTI') from error
