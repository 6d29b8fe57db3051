"""Points and boxes over the images, and from above: the parts of every picture.

Everything is drawn through the matrices that the model gets, so a wrong one shows: points leave
their objects.
"""
from typing import Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np


def project_points(points_m: np.ndarray, *, lidar_aug_matrix: np.ndarray, lidar2cam: np.ndarray,
                   cam2img: np.ndarray, img_aug_matrix: np.ndarray
                   ) -> Tuple[np.ndarray, np.ndarray]:
    """Projects points into one camera's augmented image.

    Args:
        points_m: (N, 3) in the augmented LiDAR frame.
        lidar_aug_matrix: augmented_from_raw_lidar (4, 4).
        lidar2cam: cam_from_lidar (4, 4).
        cam2img: raw_px_from_cam (4, 4).
        img_aug_matrix: augmented_from_raw_px (4, 4).

    Returns:
        Pixels (N, 2) as (u, v), meaningless where the depth is not positive, and depths (N,) in
        metres.
    """
    homogeneous = np.concatenate([points_m, np.ones((len(points_m), 1))], axis=1)
    raw_lidar = homogeneous @ np.linalg.inv(lidar_aug_matrix.astype(np.float64)).T
    in_cam = raw_lidar @ lidar2cam.T
    depth_m = in_cam[:, 2]
    raw_px = (in_cam @ cam2img.T)[:, :2] / np.where(depth_m > 0, depth_m, np.nan)[:, None]
    return raw_px @ img_aug_matrix[:2, :2].T + img_aug_matrix[:2, 3], depth_m


CAMERA_ROWS = (('CAM_FRONT_LEFT', 'CAM_FRONT', 'CAM_FRONT_RIGHT'),
               ('CAM_BACK_LEFT', 'CAM_BACK', 'CAM_BACK_RIGHT'))
# Pairs of mmdet3d's LiDARInstance3DBoxes.corners; 4, 5, 6, 7 are the front face.
BOX_EDGES = ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7))
POINTS_PER_EDGE = 32
NEAREST_DEPTH_M = 0.3
FARTHEST_COLOUR_M = 60.0
BOX_BGR, FRONT_BGR = (80, 255, 80), (60, 60, 255)


def camera_rows(names: Sequence[str]) -> Sequence[Sequence[str]]:
    """Returns the cameras in rows: those of nuScenes as they sit around the car, others by three."""
    is_nuscenes = set(names) == {name for row in CAMERA_ROWS for name in row}
    return CAMERA_ROWS if is_nuscenes else [names[start:start + 3] for start in range(0, len(names), 3)]


def tiled(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Puts pictures, which may differ in size, side by side in rows; black fills the gaps."""
    height = max(picture.shape[0] for row in rows for picture in row)
    width = max(picture.shape[1] for row in rows for picture in row)
    columns = max(map(len, rows))
    sheet = np.zeros((len(rows) * height, columns * width, 3), np.uint8)
    for down, row in enumerate(rows):
        for right, picture in enumerate(row):
            sheet[down * height:down * height + picture.shape[0],
                  right * width:right * width + picture.shape[1]] = picture
    return sheet


def draw_bev(points_m: np.ndarray, corners_m: np.ndarray, *, size_px: int, range_m: float) -> np.ndarray:
    """Draws points (N, 3) and boxes (M, 8, 3) from above, x to the right and y up."""
    picture = np.zeros((size_px, size_px, 3), np.uint8)
    px_per_m = size_px / (2 * range_m)

    def to_px(xy_m: np.ndarray) -> np.ndarray:
        return np.round((xy_m * (1, -1) + range_m) * px_per_m).astype(int)

    columns, rows = to_px(points_m[:, :2]).T
    is_inside = (columns >= 0) & (columns < size_px) & (rows >= 0) & (rows < size_px)
    colours = depth_colours(np.linalg.norm(points_m[:, :2], axis=1))
    picture[rows[is_inside], columns[is_inside]] = colours[is_inside]
    for corners in corners_m:
        draw_footprint(picture, corners, range_m=range_m, bgr=BOX_BGR)
    return picture


def draw_footprint(picture: np.ndarray, corners_m: np.ndarray, *, range_m: float, bgr: Tuple[int, int, int],
                   front_bgr: Tuple[int, int, int] = FRONT_BGR, thickness: int = 1) -> None:
    """Draws a box (8, 3) into a picture of `draw_bev`, with a thick front."""
    px_per_m = len(picture) / (2 * range_m)
    bottom = np.round((corners_m[[0, 3, 7, 4], :2] * (1, -1) + range_m) * px_per_m).astype(np.int32)
    cv2.polylines(picture, [bottom], True, bgr, thickness, cv2.LINE_AA)
    cv2.line(picture, tuple(bottom[2].tolist()), tuple(bottom[3].tolist()), front_bgr, thickness + 1,
             cv2.LINE_AA)


def draw_box(picture: np.ndarray, corners_m: np.ndarray, matrices: Dict[str, np.ndarray],
             bgr: Tuple[int, int, int], front_bgr: Tuple[int, int, int] = FRONT_BGR, thickness: int = 1
             ) -> Optional[Tuple[int, int]]:
    """Draws the edges.

    They are drawn in short pieces, so that those partly behind the camera need no clipping.

    Args:
        picture: is drawn into.
        corners_m: (8, 3) in the LiDAR frame.
        matrices: as for `project_points`.
        bgr: colour of the box.
        front_bgr: of the edges of its front.
        thickness: of its lines.

    Returns:
        The column and row of its upper left corner in the picture; None if no edge is in it.
    """
    drawn: List[Tuple[int, int]] = []
    fraction = np.linspace(0, 1, POINTS_PER_EDGE)[:, None]
    for first, last in BOX_EDGES:
        line_m = corners_m[first] * (1 - fraction) + corners_m[last] * fraction
        px, depth_m = project_points(line_m, **matrices)
        colour = front_bgr if min(first, last) >= 4 else bgr
        for piece in _visible_pieces(px, depth_m, picture.shape[:2]):
            cv2.line(picture, piece[0], piece[1], colour, thickness, cv2.LINE_AA)
            drawn += [(u, v) for u, v in piece if 0 <= u < picture.shape[1] and 0 <= v < picture.shape[0]]
    return (min(u for u, _ in drawn), min(v for _, v in drawn)) if drawn else None


def _visible_pieces(px: np.ndarray, depth_m: np.ndarray, image_hw: Tuple[int, int]
                    ) -> List[Tuple[Tuple[int, int], Tuple[int, int]]]:
    limit_px = 2 * max(image_hw)
    is_drawable = (depth_m > NEAREST_DEPTH_M) & (np.abs(np.nan_to_num(px)) < limit_px).all(axis=1)
    return [(tuple(map(round, px[index].tolist())), tuple(map(round, px[index + 1].tolist())))
            for index in range(len(px) - 1) if is_drawable[index] and is_drawable[index + 1]]


def depth_colours(depth_m: np.ndarray) -> np.ndarray:
    """Returns a BGR colour (N, 3) per depth in metres, from near to far."""
    nearness = 255 * (1 - np.clip(depth_m / FARTHEST_COLOUR_M, 0, 1))
    # OpenCV returns nothing for nothing: no LiDAR point is in sight.
    if len(depth_m) == 0:
        return np.zeros((0, 3), np.uint8)
    return cv2.applyColorMap(nearness.astype(np.uint8)[:, None], cv2.COLORMAP_TURBO)[:, 0]
