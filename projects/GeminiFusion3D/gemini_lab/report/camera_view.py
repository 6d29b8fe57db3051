"""Six camera pictures of one sample with boxes over them: a JPEG below, SVG lines above.

Lines are vectors in the pixels of the original image, so that they stay sharp when a picture is
enlarged, and a reader can hide predictions below a score.
"""
import base64
import io
from html import escape
from typing import List, Optional

import numpy as np
from nuscenes.eval.detection.data_classes import DetectionBox
from PIL import Image

from geminifusion3d.errors import UserError
from geminifusion3d.geometry.frames import transform_points
from .box_marks import Layer, is_truth, layers_of, open_group
from .projection import FRONT_FACE, NEAR_M, box_corners, box_segments_px, project
from .samples import RIG, Camera, Sample

PICTURE_WIDTH_PX = 720
JPEG_QUALITY = 78


def camera_grid(sample: Sample, min_score: float) -> str:
    """Returns HTML of the six pictures, arranged like the cameras around the car.

    Args:
        sample: geometry and boxes.
        min_score: predictions below it start hidden.
    """
    by_channel = {camera.channel: camera for camera in sample.cameras}
    return '<div class="rig">' + ''.join(
        camera_figure(by_channel[channel], sample, min_score) if channel in by_channel
        else f'<figure class="cam empty"><span class="tag">no {channel}</span></figure>'
        for row in RIG for channel in row) + '</div>'


def camera_figure(camera: Camera, sample: Sample, min_score: float) -> str:
    """Returns one picture with its overlay."""
    image, width_px, height_px = load_picture(camera)
    name = camera.channel.removeprefix('CAM_').replace('_', ' ').lower()
    boxes = ''.join(group for layer in layers_of(sample)
                    for group in box_groups(layer, camera, width_px, height_px, min_score))
    alt = f'{escape(camera.channel)} of {escape(sample.token)}'
    return (f'<figure class="cam zoomable" tabindex="0" role="button" aria-label="enlarge {alt}">'
            f'<img src="{data_uri(image, "jpeg")}" alt="{alt}">'
            f'<svg viewBox="0 0 {width_px} {height_px}" class="over" aria-hidden="true">{boxes}</svg>'
            f'<span class="tag">{escape(name)}</span></figure>')


def load_picture(camera: Camera) -> 'tuple[bytes, int, int]':
    """Returns the downscaled JPEG and the width and height of the original.

    Raises:
        UserError: if the image file is missing or broken.
    """
    try:
        with Image.open(camera.image_path) as original:
            width_px, height_px = original.size
            size = (PICTURE_WIDTH_PX, round(PICTURE_WIDTH_PX * height_px / width_px))
            small = original.convert('RGB').resize(size, Image.Resampling.LANCZOS)
    except OSError as error:
        raise UserError(f'cannot read the image {camera.image_path} ({error}); '
                        f'download or generate the dataset again') from error
    buffer = io.BytesIO()
    small.save(buffer, 'JPEG', quality=JPEG_QUALITY, optimize=True)
    return buffer.getvalue(), width_px, height_px


def data_uri(content: bytes, kind: str) -> str:
    """Returns an image as a data URI."""
    return f'data:image/{kind};base64,{base64.b64encode(content).decode("ascii")}'


def box_groups(layer: Layer, camera: Camera, width_px: int, height_px: int, min_score: float
               ) -> List[str]:
    """Returns the SVG groups of the boxes that this camera sees."""
    groups = (box_group(box, camera, width_px, height_px, min_score, layer) for box in layer.boxes)
    return [group for group in groups if group is not None]


def box_group(box: DetectionBox, camera: Camera, width_px: int, height_px: int, min_score: float,
              layer: Layer = Layer()) -> Optional[str]:
    """Returns one box: its visible edges, its front face filled, a label; None if out of view."""
    corners_global = box_corners(box.translation, box.size, box.rotation)
    corners_cam = transform_points(camera.cam_from_global, corners_global)
    segments_px = box_segments_px(corners_cam, camera.intrinsic, width_px, height_px)
    if not len(segments_px):
        return None
    edges = ''.join(f'M{segment_text(segment)}' for segment in np.rint(segments_px).astype(int))
    face = ''
    front_cam = corners_cam[list(FRONT_FACE)]
    if front_cam[:, 2].min() > NEAR_M:
        outline = ' '.join(f'{u:.0f},{v:.0f}' for u, v in project(front_cam, camera.intrinsic))
        face = f'<polygon points="{outline}"/>'
    label = label_text(box, segments_px.reshape(-1, 2), height_px)
    return f'{open_group(box, min_score, layer)}{face}<path d="{edges}"/>{label}</g>'


def label_text(box: DetectionBox, ends_px: np.ndarray, height_px: int) -> str:
    """Returns the label: above a prediction, below ground truth, so that both can be read.

    Args:
        box: what to name.
        ends_px: (N, 2) ends of its visible edges.
        height_px: of the image.
    """
    (left_px, top_px), (_, bottom_px) = ends_px.min(axis=0), ends_px.max(axis=0)
    y_px = min(bottom_px + 16, height_px - 4) if is_truth(box) else max(top_px - 5, 16)
    return f'<text x="{left_px:.0f}" y="{y_px:.0f}">{escape(short_label(box))}</text>'


def segment_text(segment: np.ndarray) -> str:
    """Returns 'u v L u v' of one segment."""
    (u0, v0), (u1, v1) = segment
    return f'{u0} {v0}L{u1} {v1}'


def short_label(box: DetectionBox) -> str:
    """Returns the class, with the score of a prediction."""
    name = box.detection_name.replace('_', ' ')
    return name if is_truth(box) else f'{name} {box.detection_score:.2f}'
