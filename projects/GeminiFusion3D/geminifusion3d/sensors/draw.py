"""A picture of what a pipeline delivers: points and boxes over the images, and from above.

Everything is drawn through the matrices that the model gets, so a wrong one shows: points leave
their objects.
"""
from typing import Any, Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from .load_radar import VELOCITY


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
BOX_EDGES = ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5),
             (2, 6), (3, 7))
POINTS_PER_EDGE = 32
NEAREST_DEPTH_M = 0.3
FARTHEST_COLOUR_M = 60.0
BOX_BGR, FRONT_BGR, TEXT_BGR, RIM_BGR = (80, 255, 80), (60, 60, 255), (255, 255, 255), (0, 0, 0)


def draw_sample(results: Dict[str, Any], *, range_m: float = 55.0) -> np.ndarray:
    """Draws one sample.

    Args:
        results: a pipeline's output before packing: `img`, `cam_names`, `points`,
            `gt_bboxes_3d` and the four kinds of matrices; `radar_points` where there are some.
        range_m: half the side of the view from above.

    Returns:
        A BGR picture: the cameras, those of nuScenes left to right as seen from the car, and the view from
        above.
    """
    names = list(results['cam_names'])
    cameras = tiled([[draw_camera(results, names.index(name)) for name in row] for row in camera_rows(names)])
    points_m = results['points'].tensor[:, :3].numpy()
    bev = draw_bev(points_m, results['gt_bboxes_3d'].corners.numpy(), size_px=cameras.shape[0],
                   range_m=range_m)
    if 'radar_points' in results:
        draw_radar_from_above(bev, results['radar_points'].tensor.numpy(), range_m=range_m)
    _draw_legend(bev, f'{range_m:g} m to each side, x to the right, y up')
    return np.hstack([cameras, bev])


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


def draw_camera(results: Dict[str, Any], camera: int) -> np.ndarray:
    """Draws the points, coloured by depth, and the boxes, front face red, over one image."""
    picture = np.ascontiguousarray(results['img'][camera]).copy()
    matrices = {'lidar_aug_matrix': results['lidar_aug_matrix'],
                **{key: results[key][camera]
                   for key in ('lidar2cam', 'cam2img', 'img_aug_matrix')}}
    px, depth_m = project_points(results['points'].tensor[:, :3].numpy(), **matrices)
    _draw_points(picture, px, depth_m)
    if 'radar_points' in results:
        draw_radar(picture, results['radar_points'].tensor.numpy(), matrices)
    for corners_m in results['gt_bboxes_3d'].corners.numpy():
        draw_box(picture, corners_m, matrices, BOX_BGR)
    cv2.putText(picture, results['cam_names'][camera], (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6,
                TEXT_BGR, 1, cv2.LINE_AA)
    return picture


def _draw_legend(picture: np.ndarray, title: str) -> None:
    """Writes what the colours mean into the view from above."""
    depths_m = np.linspace(0, FARTHEST_COLOUR_M, 4)
    entries = [(title, TEXT_BGR), ('true box', BOX_BGR), ('its front', FRONT_BGR)]
    entries += [(f'point at {depth_m:.0f} m{" and more" if depth_m == FARTHEST_COLOUR_M else ""}', colour)
                for depth_m, colour in zip(depths_m, _depth_colours(depths_m).tolist())]
    for line, (text, colour) in enumerate(entries):
        # White on a black rim: the darkest colours would not be read, nor would words on points.
        for text_bgr, width_px in ((RIM_BGR, 4), (TEXT_BGR, 1)):
            cv2.putText(picture, text, (26, 20 + 18 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.45, text_bgr,
                        width_px, cv2.LINE_AA)
        if line:
            cv2.circle(picture, (14, 16 + 18 * line), 7, RIM_BGR, -1)
            cv2.circle(picture, (14, 16 + 18 * line), 5, colour, -1, cv2.LINE_AA)


def draw_radar(picture: np.ndarray, returns: np.ndarray, matrices: Dict[str, np.ndarray]) -> None:
    """Draws radar returns as rings, coloured by depth, with a line to where each would be in a second.

    Args:
        picture: is drawn into.
        returns: (N, 7) of RADAR_COLUMNS, in the augmented LiDAR frame.
        matrices: as for `project_points`.
    """
    moved_m = returns[:, :3].copy()
    moved_m[:, :2] += returns[:, VELOCITY]
    px, depth_m = project_points(returns[:, :3], **matrices)
    moved_px, moved_depth_m = project_points(moved_m, **matrices)
    limit_px = 2 * max(picture.shape)
    for index, colour in enumerate(_depth_colours(depth_m).tolist()):
        ends = np.stack([px[index], moved_px[index]])
        is_ahead = min(depth_m[index], moved_depth_m[index]) > NEAREST_DEPTH_M
        if is_ahead and np.abs(ends).max() < limit_px:
            first, second = (tuple(map(round, end)) for end in ends.tolist())
            cv2.circle(picture, first, 6, colour, 2, cv2.LINE_AA)
            cv2.line(picture, first, second, colour, 2, cv2.LINE_AA)


def draw_radar_from_above(picture: np.ndarray, returns: np.ndarray, *, range_m: float) -> None:
    """Draws radar returns (N, 7) as white rings into a picture of `draw_bev`, with the same line."""
    px_per_m = len(picture) / (2 * range_m)
    for x_m, y_m, vx_mps, vy_mps in returns[:, [0, 1, *VELOCITY]].tolist():
        first, second = ((round((x + range_m) * px_per_m), round((range_m - y) * px_per_m))
                         for x, y in ((x_m, y_m), (x_m + vx_mps, y_m + vy_mps)))
        cv2.circle(picture, first, 3, TEXT_BGR, 1, cv2.LINE_AA)
        cv2.line(picture, first, second, TEXT_BGR, 1, cv2.LINE_AA)


def draw_bev(points_m: np.ndarray, corners_m: np.ndarray, *, size_px: int,
             range_m: float) -> np.ndarray:
    """Draws points (N, 3) and boxes (M, 8, 3) from above, x to the right and y up."""
    picture = np.zeros((size_px, size_px, 3), np.uint8)
    px_per_m = size_px / (2 * range_m)

    def to_px(xy_m: np.ndarray) -> np.ndarray:
        return np.round((xy_m * (1, -1) + range_m) * px_per_m).astype(int)

    columns, rows = to_px(points_m[:, :2]).T
    is_inside = (columns >= 0) & (columns < size_px) & (rows >= 0) & (rows < size_px)
    colours = _depth_colours(np.linalg.norm(points_m[:, :2], axis=1))
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


def _draw_points(picture: np.ndarray, px: np.ndarray, depth_m: np.ndarray) -> None:
    order = np.argsort(-depth_m)
    order = order[depth_m[order] > NEAREST_DEPTH_M]
    for (u, v), colour in zip(px[order], _depth_colours(depth_m[order]).tolist()):
        if 0 <= u < picture.shape[1] and 0 <= v < picture.shape[0]:
            cv2.circle(picture, (round(u), round(v)), 1, colour, -1)


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


def _depth_colours(depth_m: np.ndarray) -> np.ndarray:
    nearness = 255 * (1 - np.clip(depth_m / FARTHEST_COLOUR_M, 0, 1))
    # OpenCV returns nothing for nothing: no LiDAR point is in sight.
    if len(depth_m) == 0:
        return np.zeros((0, 3), np.uint8)
    return cv2.applyColorMap(nearness.astype(np.uint8)[:, None], cv2.COLORMAP_TURBO)[:, 0]
