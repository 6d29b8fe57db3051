"""One sample as the page shows it: pictures as data URIs, boxes over them as SVG numbers and words.

`template/report.html` writes the marks; nothing here is markup. Lines are vectors in the pixels of the
original picture: they stay sharp when it is enlarged, and a reader can hide predictions below a score. Some
samples are shown as the product's 3D page, in a frame.
"""
import base64
import io
from dataclasses import dataclass
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np
from nuscenes import NuScenes
from nuscenes.eval.detection.data_classes import DetectionBox
from PIL import Image

from geminifusion3d.errors import UserError
from geminifusion3d.geometry.frames import invert_pose, pose, transform_points
from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.picture_files import decode, read_whole, resize_ratio
from geminifusion3d.point_files import read_point_file
from geminifusion3d.scene_page import PALETTE_RGB, frustum, scene_content, scene_page

from .dataset import RIG, Camera, Records, Sample, predicted_boxes, read_sample, truth_boxes
from .projection import FOOTPRINT, FRONT_FACE, NEAR_M, box_corners, box_segments_px, project

KINDS = {'truth': 'truth', 'pred': 'prediction', 'other': 'other model'}
PICTURE_WIDTH_PX, JPEG_QUALITY = 720, 78
# nuScenes' Renault Zoe: length and width, and how far its tail is behind the rear axle.
EGO_LENGTH_M, EGO_WIDTH_M, EGO_TAIL_M = 4.08, 1.73, 1.0
# Ground, then heights up to 3 m, light to dark, on a near-white sheet.
SHEET_RGB, GROUND_RGB, TALL_RGB = (250, 251, 253), (203, 211, 223), (44, 62, 96)
GROUND_M, TALL_M = 0.3, 3.0


class Mark(NamedTuple):
    """One drawn box.

    Attributes:
        style: CSS classes: truth, pred or other; missed, false, low.
        title: its description on hover.
        lines: an SVG path.
        face: points of a filled polygon.
        score: of a prediction.
        found: of an object, the highest lowest-score at which it counts as found; None if not known.
        label: a word beside it, and where that stands.
    """

    style: str
    title: str
    lines: str
    face: str
    score: Optional[float] = None
    found: Optional[float] = None
    label: str = ''
    label_uv: Tuple[float, float] = (0, 0)


class View(NamedTuple):
    """One picture with what is drawn over it; without a picture, its name says what is absent."""

    name: str
    alt: str
    picture: str
    size_wh: Tuple[int, int]
    marks: List[Mark]


@dataclass(frozen=True)
class BevCanvas:
    """A square sheet around the ego, its heading up: metres to pixels only here."""

    range_m: float = 54.0
    px_per_m: float = 8.0

    @property
    def size_px(self) -> int:
        """Side of the sheet."""
        return round(2 * self.range_m * self.px_per_m)

    def pixels(self, points_ego: np.ndarray) -> np.ndarray:
        """Maps (..., 2 or more) ego metres, x forward and y left, to (..., 2) pixels, u right and v down."""
        return np.stack([(self.range_m - points_ego[..., 1]) * self.px_per_m,
                         (self.range_m - points_ego[..., 0]) * self.px_per_m], axis=-1)

    @property
    def circles(self) -> List[Tuple[int, float]]:
        """Radius in metres and in pixels of the range circles."""
        return [(radius_m, radius_m * self.px_per_m) for radius_m in range(10, int(self.range_m) + 1, 10)]

    @property
    def ego_outline(self) -> str:
        """The ego vehicle with a nose, as points of a polygon."""
        nose_m, tail_m, half_m = EGO_LENGTH_M - EGO_TAIL_M, -EGO_TAIL_M, EGO_WIDTH_M / 2
        return _points(self.pixels(np.array([[tail_m, half_m], [nose_m - 0.9, half_m], [nose_m, 0],
                                             [nose_m - 0.9, -half_m], [tail_m, -half_m]])))


CANVAS = BevCanvas()


def camera_views(sample: Sample, min_score: float) -> List[View]:
    """Returns the six pictures in the order in which the cameras sit around the car."""
    cameras: Dict[str, Camera] = {camera.channel: camera for camera in sample.cameras}
    return [_camera_view(cameras[channel], sample, min_score) if channel in cameras
            else View(f'no {channel}', '', '', (0, 0), []) for row in RIG for channel in row]


def _camera_view(camera: Camera, sample: Sample, min_score: float) -> View:
    picture, width_px, height_px = load_picture(camera)

    def shape(box: DetectionBox) -> Optional[Dict]:
        return camera_shape(box, camera, width_px, height_px)

    name = camera.channel.removeprefix('CAM_').replace('_', ' ').lower()
    return View(name, f'{camera.channel} of {sample.token}', data_uri(picture, 'jpeg'),
                (width_px, height_px), list(_marks(sample, min_score, shape)))


def bev_view(sample: Sample, min_score: float, canvas: BevCanvas = CANVAS) -> View:
    """Returns the view from above: LiDAR points as a picture, footprints over it."""
    picture = data_uri(points_picture(load_points(sample), canvas), 'png')

    def shape(box: DetectionBox) -> Optional[Dict]:
        return bev_shape(box, sample, canvas)

    return View('from above, heading up', f'view from above of {sample.token}', picture,
                (canvas.size_px, canvas.size_px), list(_marks(sample, min_score, shape)))


def _marks(sample: Sample, min_score: float, shape: Callable[[DetectionBox], Optional[Dict]]
           ) -> Iterator[Mark]:
    """Yields the boxes that a view shows, the lowest first."""
    for style, boxes in (('truth', sample.truth), ('other', sample.other_predictions),
                         ('pred', sample.predictions)):
        for box in boxes:
            drawn = shape(box)
            if drawn is not None:
                yield mark_of(box, style, sample, min_score, drawn)


def mark_of(box: DetectionBox, style: str, sample: Sample, min_score: float, shape: Dict) -> Mark:
    """Returns the mark of a box.

    Args:
        box: which.
        style: one of KINDS.
        sample: says which boxes match.
        min_score: predictions below it start hidden, objects not found from it on start as missed.
        shape: the fields of Mark that say where it is.
    """
    verdicts = sample.verdicts if style != 'other' else None
    speed_m_s = float(np.hypot(*box.velocity[:2]))
    title = (f'{KINDS[style]}: {short_label(box)}, {box.ego_dist:.0f} m away'
             + (f', {speed_m_s:.1f} m/s' if np.isfinite(speed_m_s) else ''))
    if style == 'truth':
        found = None if verdicts is None else verdicts.found_from(box)
        if found is not None:
            title += ', never found' if found < 0 else f', found with {found:.2f}'
            style += ' missed' if found < min_score else ''
        return Mark(style, title, found=found, **shape)
    is_false = verdicts is not None and verdicts.is_false_positive(box)
    style += (' false' if is_false else '') + (' low' if box.detection_score < min_score else '')
    return Mark(style, title + (', found nothing' if is_false else ''), score=box.detection_score, **shape)


def camera_shape(box: DetectionBox, camera: Camera, width_px: int, height_px: int) -> Optional[Dict]:
    """Returns the visible edges of a box, its front face and its label; None if it is out of view."""
    corners_cam = transform_points(camera.cam_from_global,
                                   box_corners(box.translation, box.size, box.rotation))
    segments_px = box_segments_px(corners_cam, camera.intrinsic, width_px, height_px)
    if not len(segments_px):
        return None
    lines = ''.join(f'M{u0} {v0}L{u1} {v1}' for (u0, v0), (u1, v1) in np.rint(segments_px).astype(int))
    front_cam = corners_cam[list(FRONT_FACE)]
    face = _points(project(front_cam, camera.intrinsic), 0) if front_cam[:, 2].min() > NEAR_M else ''
    ends_px = segments_px.reshape(-1, 2)
    (left_px, top_px), (_, bottom_px) = ends_px.min(axis=0), ends_px.max(axis=0)
    # Above a prediction, below ground truth, so that both can be read.
    v_px = min(bottom_px + 16, height_px - 4) if is_truth(box) else max(top_px - 5, 16)
    return dict(lines=lines, face=face, label=short_label(box), label_uv=(round(left_px), round(v_px)))


def bev_shape(box: DetectionBox, sample: Sample, canvas: BevCanvas) -> Optional[Dict]:
    """Returns one box from above: outline, heading, and where it will be in one second."""
    corners_global = box_corners(box.translation, box.size, box.rotation)[list(FOOTPRINT)]
    outline_px = canvas.pixels(transform_points(sample.ego_from_global, corners_global))
    if not ((outline_px >= 0) & (outline_px <= canvas.size_px)).any(axis=0).all():
        return None
    front_px = outline_px[:2].mean(axis=0)
    lines = f'M{_pair(outline_px.mean(axis=0))}L{_pair(front_px)}'
    velocity_m_s = np.array([*box.velocity[:2], 0.0])
    if np.isfinite(velocity_m_s).all() and np.hypot(*velocity_m_s[:2]) > 0.5:
        moved_px = (sample.ego_from_global[:2, :3] @ velocity_m_s) * canvas.px_per_m
        lines += f'M{_pair(front_px)}L{_pair(front_px + np.array([-moved_px[1], -moved_px[0]]))}'
    return dict(lines=lines, face=_points(outline_px))


def load_picture(camera: Camera) -> Tuple[bytes, int, int]:
    """Returns the downscaled JPEG, and the width and height in pixels to which the intrinsics belong.

    Args:
        camera: file and geometry.

    Raises:
        UserError: if the image file is missing, broken, or no resized copy of the picture in the tables.
    """
    name = f'the picture {camera.image_path}'
    try:
        data, facts = read_whole(camera.image_path)
        height_px, width_px = camera.raw_hw or facts.hw
        if resize_ratio(facts.hw, (height_px, width_px)) is None:
            raise UserError(
                f'{name} is {facts.hw[1]}x{facts.hw[0]}, in the tables it is {width_px}x{height_px}')
        size = (PICTURE_WIDTH_PX, round(PICTURE_WIDTH_PX * height_px / width_px))
        picture = decode(data, name=name)[0]
    except UserError as error:
        raise UserError(f'{error}; download or generate the dataset again') from error
    small = Image.fromarray(picture[..., ::-1]).resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, 'JPEG', quality=JPEG_QUALITY, optimize=True)
    return buffer.getvalue(), width_px, height_px


def load_points(sample: Sample) -> np.ndarray:
    """Returns the keyframe's LiDAR points (N, 3) in the ego frame."""
    return transform_points(sample.ego_from_lidar, load_lidar(sample)[:, :3].astype(np.float64))


def load_lidar(sample: Sample) -> np.ndarray:
    """Reads the rows of the keyframe's LiDAR file; UserError if it is missing or not a LiDAR record."""
    return read_point_file(str(sample.lidar_path))


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
    buffer = io.BytesIO()
    Image.fromarray(sheet[:canvas.size_px, :canvas.size_px]).quantize(64).save(buffer, 'PNG', optimize=True)
    return buffer.getvalue()


def data_uri(content: bytes, kind: str) -> str:
    """Returns an image as a data URI."""
    return f'data:image/{kind};base64,{base64.b64encode(content).decode("ascii")}'


def is_truth(box: DetectionBox) -> bool:
    """Ground truth has no score: the devkit gives it -1."""
    return box.detection_score < 0


def short_label(box: DetectionBox) -> str:
    """Returns the class, with the score of a prediction."""
    name = box.detection_name.replace('_', ' ')
    return name if is_truth(box) else f'{name} {box.detection_score:.2f}'


def _points(points_px: Sequence, digits: int = 1) -> str:
    """Returns 'u,v u,v ...' for a polygon."""
    return ' '.join(f'{u:.{digits}f},{v:.{digits}f}' for u, v in points_px)


def _pair(point_px: np.ndarray) -> str:
    """Returns 'u v' for a path."""
    return f'{point_px[0]:.1f} {point_px[1]:.1f}'


# 20,000 points are 190 kB of the page.
MOST_SCENES, MOST_POINTS = 4, 20_000


def scenes_page(samples: Sequence[Sample], min_score: float, title: str) -> str:
    """Returns the page of the first samples: points, cameras, predictions and ground truth."""
    scenes = [scene_content(
        f'{sample.scene_name} at {sample.second_in_scene:.1f} s', load_lidar(sample)[:, :4],
        box_rows(sample.predictions, sample), box_rows(sample.truth, sample),
        [_frustum(camera, sample) for camera in sample.cameras], max_points=MOST_POINTS)
        for sample in samples[:MOST_SCENES]]
    return scene_page(scenes, CLASS_NAMES, PALETTE_RGB, title=title, min_score=min_score)


def box_rows(boxes: Sequence[DetectionBox], sample: Sample) -> np.ndarray:
    """Returns rows of `scene_content` in the LiDAR frame."""
    rows = []
    for box in boxes:
        lidar_from_box = _lidar_from_global(sample) @ pose([*box.rotation], [*box.translation])
        width_m, length_m, height_m = box.size
        rows.append([*lidar_from_box[:3, 3], length_m, width_m, height_m,
                     np.arctan2(lidar_from_box[1, 0], lidar_from_box[0, 0]),
                     CLASS_NAMES.index(box.detection_name), box.detection_score])
    return np.array(rows, float).reshape(-1, 9)


def _frustum(camera: Camera, sample: Sample) -> list:
    height, width = camera.raw_hw or load_picture(camera)[:0:-1]
    lidar_from_cam = _lidar_from_global(sample) @ invert_pose(camera.cam_from_global)
    return frustum(camera.intrinsic, lidar_from_cam, width, height)


def _lidar_from_global(sample: Sample) -> np.ndarray:
    return invert_pose(sample.ego_from_lidar) @ sample.ego_from_global


CAMERA_WH_PX = (640, 360)
SHEET = BevCanvas(px_per_m=2 * CAMERA_WH_PX[1] / 108.0)
# Blue, green, red, as OpenCV has them; the report's colours of truth and predictions.
TRUTH_BGR, PREDICTION_BGR = (255, 184, 34), (31, 138, 255)
EGO_BGR, CIRCLE_BGR = (90, 62, 44), (205, 205, 205)
CIRCLE_STEP_M = 10


def read_file_sample(nusc: NuScenes, results: Records, token: str, *, min_score: float) -> Sample:
    """Returns a sample with its predictions from a score on; dataset and file must have it."""
    if token not in results:
        raise UserError(f'the predictions hold no sample {token}; without --sample the first is drawn')
    if all(row['token'] != token for row in nusc.sample):
        raise UserError(f'{nusc.version} has no sample {token}; check --dataroot and --version')
    found = [box for box in predicted_boxes(nusc, results, [token])[token]
             if box.detection_score >= min_score]
    return read_sample(nusc, token, truth=truth_boxes(nusc, [token])[token], predictions=found)


def picture_of(sample: Sample) -> np.ndarray:
    """Returns the six cameras as they sit around the car and, to their right, the view from above, BGR."""
    by_channel = {camera.channel: camera for camera in sample.cameras}
    width_px, height_px = CAMERA_WH_PX
    blank = np.zeros((height_px, width_px, 3), np.uint8)
    rows = [np.hstack([camera_picture(by_channel[channel], sample) if channel in by_channel else blank
                       for channel in row]) for row in RIG]
    sheet = bev_picture(sample)
    _write(sheet, f'predictions: {len(sample.predictions)}', (8, 18), PREDICTION_BGR)
    _write(sheet, f'ground truth: {len(sample.truth)}', (8, 36), TRUTH_BGR)
    return np.hstack([np.vstack(rows), sheet])


def camera_picture(camera: Camera, sample: Sample) -> np.ndarray:
    """Returns one camera's picture with the edges of the boxes that it sees."""
    image, raw_width_px, raw_height_px = load_picture(camera)
    picture = cv2.resize(_decode(image), CAMERA_WH_PX, interpolation=cv2.INTER_AREA)
    scale = np.array(CAMERA_WH_PX) / (raw_width_px, raw_height_px)
    for box in _truth_first(sample):
        corners_cam = transform_points(camera.cam_from_global,
                                       box_corners(box.translation, box.size, box.rotation))
        segments_px = box_segments_px(corners_cam, camera.intrinsic, raw_width_px, raw_height_px) * scale
        for start, end in segments_px:
            cv2.line(picture, _pixel(start), _pixel(end), colour_of(box), 1, cv2.LINE_AA)
        if len(segments_px) and not is_truth(box):
            _write(picture, short_label(box), segments_px.reshape(-1, 2).min(axis=0), colour_of(box))
    _write(picture, camera.channel, (4, 16), (255, 255, 255))
    return picture


def bev_picture(sample: Sample) -> np.ndarray:
    """Returns the view from above, heading up, with the footprints of the boxes and where they head."""
    picture = _decode(points_picture(load_points(sample), SHEET))
    middle = _pixel(SHEET.pixels(np.zeros(2)))
    for radius_m in range(CIRCLE_STEP_M, int(SHEET.range_m) + 1, CIRCLE_STEP_M):
        cv2.circle(picture, middle, round(radius_m * SHEET.px_per_m), CIRCLE_BGR, 1, cv2.LINE_AA)
    cv2.circle(picture, middle, 4, EGO_BGR, -1, cv2.LINE_AA)
    for box in _truth_first(sample):
        corners_global = box_corners(box.translation, box.size, box.rotation)[list(FOOTPRINT)]
        outline_px = SHEET.pixels(transform_points(sample.ego_from_global, corners_global))
        cv2.polylines(picture, [np.rint(outline_px).astype(np.int32)], True, colour_of(box), 1, cv2.LINE_AA)
        front_px = outline_px[:2].mean(axis=0)
        cv2.line(picture, _pixel(outline_px.mean(axis=0)), _pixel(front_px), colour_of(box), 1, cv2.LINE_AA)
    return picture


def colour_of(box: DetectionBox) -> Tuple[int, int, int]:
    """Returns the colour of ground truth or of a prediction."""
    return TRUTH_BGR if is_truth(box) else PREDICTION_BGR


def _truth_first(sample: Sample) -> Iterable[DetectionBox]:
    """Yields all boxes; the surest prediction is drawn last."""
    yield from sample.truth
    yield from sorted(sample.predictions, key=lambda box: box.detection_score)


def _decode(image: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(image)) as opened:
        return np.ascontiguousarray(np.array(opened.convert('RGB'))[..., ::-1])


def _pixel(point_px: np.ndarray) -> Tuple[int, int]:
    u_px, v_px = np.rint(point_px).astype(int).tolist()
    return u_px, v_px


def _write(picture: np.ndarray, text: str, at_px: Iterable[float], colour: Tuple[int, int, int]) -> None:
    u_px, v_px = at_px
    cv2.putText(picture, text, (int(u_px), max(12, int(v_px) - 3)), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1,
                cv2.LINE_AA)
