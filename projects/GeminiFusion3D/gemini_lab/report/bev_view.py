"""The scene from above: LiDAR points as a picture, boxes, ego and range circles as SVG over it.

The ego frame at LiDAR time with the car's heading upwards: x (forward) up, y (left) to the left.
"""
import io
from dataclasses import dataclass
from html import escape
from typing import List, Optional

import numpy as np
from nuscenes.eval.detection.data_classes import DetectionBox
from PIL import Image

from geminifusion3d.errors import UserError
from geminifusion3d.geometry.frames import transform_points
from .box_marks import Layer, layers_of, open_group
from .camera_view import data_uri
from .projection import FOOTPRINT, box_corners
from .samples import Sample

# LiDAR records are x, y, z, intensity, ring.
LIDAR_COLUMNS = 5
# nuScenes' Renault Zoe: length and width, and how far its tail is behind the rear axle.
EGO_LENGTH_M, EGO_WIDTH_M, EGO_TAIL_M = 4.08, 1.73, 1.0
# Ground, then heights up to 3 m, light to dark, on a near-white sheet.
SHEET_RGB = (250, 251, 253)
GROUND_RGB = (203, 211, 223)
TALL_RGB = (44, 62, 96)
GROUND_M, TALL_M = 0.3, 3.0


@dataclass(frozen=True)
class BevCanvas:
    """A square sheet around the ego: metres to pixels and back only here."""

    range_m: float = 54.0
    px_per_m: float = 8.0

    @property
    def size_px(self) -> int:
        """Side of the sheet."""
        return round(2 * self.range_m * self.px_per_m)

    def pixels(self, points_ego: np.ndarray) -> np.ndarray:
        """Maps (..., 2 or more) ego metres to (..., 2) pixels: u to the right, v down."""
        return np.stack([(self.range_m - points_ego[..., 1]) * self.px_per_m,
                         (self.range_m - points_ego[..., 0]) * self.px_per_m], axis=-1)


def bev_figure(sample: Sample, min_score: float, canvas: BevCanvas = BevCanvas()) -> str:
    """Returns HTML of the view from above.

    Args:
        sample: LiDAR file and boxes.
        min_score: predictions below it start hidden.
        canvas: extent and scale.
    """
    points_ego = load_points(sample)
    picture = data_uri(points_picture(points_ego, canvas), 'png')
    boxes = ''.join(group for layer in layers_of(sample)
                    for group in footprints(layer, sample, canvas, min_score))
    alt = f'view from above of {escape(sample.token)}'
    return (f'<figure class="bev zoomable" tabindex="0" role="button" aria-label="enlarge {alt}">'
            f'<img src="{picture}" alt="{alt}">'
            f'<svg viewBox="0 0 {canvas.size_px} {canvas.size_px}" class="over" aria-hidden="true">'
            f'{range_circles(canvas)}{ego_outline(canvas)}{boxes}</svg>'
            '<span class="tag">from above, heading up</span></figure>')


def load_points(sample: Sample) -> np.ndarray:
    """Reads the keyframe's LiDAR points (N, 3) in the ego frame.

    Raises:
        UserError: if the file is missing or not a LiDAR record.
    """
    try:
        values = np.fromfile(sample.lidar_path, dtype='<f4')
    except OSError as error:
        raise UserError(f'cannot read the LiDAR file {sample.lidar_path} ({error.strerror}); '
                        f'download or generate the dataset again') from error
    if len(values) % LIDAR_COLUMNS:
        raise UserError(f'{sample.lidar_path} holds {len(values)} numbers, expected a multiple of '
                        f'{LIDAR_COLUMNS}; the file is cut off: get it again')
    points_lidar = values.reshape(-1, LIDAR_COLUMNS)[:, :3].astype(np.float64)
    return transform_points(sample.ego_from_lidar, points_lidar)


def points_picture(points_ego: np.ndarray, canvas: BevCanvas) -> bytes:
    """Returns a PNG of the points, darker the higher; the highest point of a pixel wins."""
    cells = np.floor(canvas.pixels(points_ego)).astype(int)
    is_inside = ((cells >= 0) & (cells < canvas.size_px)).all(axis=1)
    cells, height_m = cells[is_inside], points_ego[is_inside, 2]
    order = np.argsort(height_m, kind='stable')
    cells, height_m = cells[order], height_m[order]
    share = np.clip((height_m - GROUND_M) / (TALL_M - GROUND_M), 0, 1)[:, None]
    colours = np.rint(np.array(GROUND_RGB) * (1 - share) + np.array(TALL_RGB) * share)
    sheet = np.full((canvas.size_px + 1, canvas.size_px + 1, 3), SHEET_RGB, dtype=np.uint8)
    # Each point covers 2 x 2 pixels: single ones fade where the page shows it smaller.
    for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
        sheet[cells[:, 1] + down, cells[:, 0] + right] = colours.astype(np.uint8)
    sheet = sheet[:canvas.size_px, :canvas.size_px]
    buffer = io.BytesIO()
    Image.fromarray(sheet).quantize(64).save(buffer, 'PNG', optimize=True)
    return buffer.getvalue()


def range_circles(canvas: BevCanvas) -> str:
    """Returns a circle each 10 m with its radius."""
    u, v = canvas.pixels(np.zeros(2))
    parts = []
    for radius_m in range(10, int(canvas.range_m) + 1, 10):
        radius_px = radius_m * canvas.px_per_m
        parts.append(f'<circle cx="{u:.0f}" cy="{v:.0f}" r="{radius_px:.0f}"/>'
                     f'<text x="{u + radius_px * 0.7071 + 3:.0f}" '
                     f'y="{v + radius_px * 0.7071 + 12:.0f}">{radius_m} m</text>')
    return f'<g class="circles">{"".join(parts)}</g>'


def ego_outline(canvas: BevCanvas) -> str:
    """Returns the ego vehicle: its outline with a nose."""
    nose_m, tail_m, half_m = EGO_LENGTH_M - EGO_TAIL_M, -EGO_TAIL_M, EGO_WIDTH_M / 2
    outline_ego = np.array([[tail_m, half_m], [nose_m - 0.9, half_m], [nose_m, 0],
                            [nose_m - 0.9, -half_m], [tail_m, -half_m]])
    return f'<polygon class="ego" points="{points_text(canvas.pixels(outline_ego))}"/>'


def footprints(layer: Layer, sample: Sample, canvas: BevCanvas, min_score: float) -> List[str]:
    """Returns the SVG groups of the boxes on the sheet."""
    groups = (footprint(box, sample, canvas, min_score, layer) for box in layer.boxes)
    return [group for group in groups if group is not None]


def footprint(box: DetectionBox, sample: Sample, canvas: BevCanvas, min_score: float,
              layer: Layer = Layer()) -> Optional[str]:
    """Returns one box from above: outline, heading, and where it will be in one second."""
    corners_global = box_corners(box.translation, box.size, box.rotation)[list(FOOTPRINT)]
    outline_px = canvas.pixels(transform_points(sample.ego_from_global, corners_global))
    if not ((outline_px >= 0) & (outline_px <= canvas.size_px)).any(axis=0).all():
        return None
    centre_px = outline_px.mean(axis=0)
    front_px = outline_px[:2].mean(axis=0)
    lines = f'M{pair_text(centre_px)}L{pair_text(front_px)}'
    velocity_m_s = np.array([*box.velocity[:2], 0.0])
    if np.isfinite(velocity_m_s).all() and np.hypot(*velocity_m_s[:2]) > 0.5:
        moved_px = (sample.ego_from_global[:2, :3] @ velocity_m_s) * canvas.px_per_m
        ahead_px = front_px + np.array([-moved_px[1], -moved_px[0]])
        lines += f'M{pair_text(front_px)}L{pair_text(ahead_px)}'
    return (f'{open_group(box, min_score, layer)}<polygon points="{points_text(outline_px)}"/>'
            f'<path d="{lines}"/></g>')


def points_text(points_px: np.ndarray) -> str:
    """Returns 'u,v u,v ...' for a polygon."""
    return ' '.join(f'{u:.1f},{v:.1f}' for u, v in points_px)


def pair_text(point_px: np.ndarray) -> str:
    """Returns 'u v' for a path."""
    return f'{point_px[0]:.1f} {point_px[1]:.1f}'
