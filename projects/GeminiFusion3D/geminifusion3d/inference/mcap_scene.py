"""Samples with their boxes as an MCAP file, which Foxglove opens: points, pictures, poses, boxes.

The messages are those of Foxglove (https://docs.foxglove.dev/docs/sdk/schemas) in JSON. Frames: `map` where
the samples have poses, `ego`, `lidar`, and one per camera; x is right, y down, z ahead in a camera.
"""
import base64
import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import cv2
import numpy as np
from pyquaternion import Quaternion

from ..atomic import atomic_write
from ..errors import UserError
from ..geometry.frames import invert_pose
from ..sensors import GeminiLoadPoints
from .detections import Detections
from .detector import Detector
from .sample import Sample

NANOSECONDS = 1_000_000_000
# Samples without a time are half a second apart, as keyframes of nuScenes are.
STEP_NS = NANOSECONDS // 2
FIELDS, FLOAT32 = ('x', 'y', 'z', 'intensity'), 7
DELETE_ALL = 1
TRUTH_RGB = (255, 255, 255)
Message = Tuple[str, str, Dict[str, Any]]


def _object(**fields: Any) -> Dict[str, Any]:
    return {'type': 'object', 'properties': fields}


def _list(items: Dict[str, Any]) -> Dict[str, Any]:
    return {'type': 'array', 'items': items}


NUMBER, WHOLE, TEXT, FLAG = {'type': 'number'}, {'type': 'integer'}, {'type': 'string'}, {'type': 'boolean'}
BYTES = {'type': 'string', 'contentEncoding': 'base64'}
TIME = _object(sec=WHOLE, nsec=WHOLE)
VECTOR, ROTATION = _object(x=NUMBER, y=NUMBER, z=NUMBER), _object(x=NUMBER, y=NUMBER, z=NUMBER, w=NUMBER)
POSE, COLOUR = _object(position=VECTOR, orientation=ROTATION), _object(r=NUMBER, g=NUMBER, b=NUMBER, a=NUMBER)
SCHEMAS = {
    'foxglove.PointCloud': _object(timestamp=TIME, frame_id=TEXT, pose=POSE, point_stride=WHOLE,
                                   fields=_list(_object(name=TEXT, offset=WHOLE, type=WHOLE)), data=BYTES),
    'foxglove.CompressedImage': _object(timestamp=TIME, frame_id=TEXT, data=BYTES, format=TEXT),
    'foxglove.CameraCalibration': _object(
        timestamp=TIME, frame_id=TEXT, width=WHOLE, height=WHOLE, distortion_model=TEXT, D=_list(NUMBER),
        K=_list(NUMBER), R=_list(NUMBER), P=_list(NUMBER)),
    'foxglove.FrameTransform': _object(timestamp=TIME, parent_frame_id=TEXT, child_frame_id=TEXT,
                                       translation=VECTOR, rotation=ROTATION),
    'foxglove.SceneUpdate': _object(
        deletions=_list(_object(timestamp=TIME, type=WHOLE, id=TEXT)),
        entities=_list(_object(
            timestamp=TIME, frame_id=TEXT, id=TEXT, lifetime=TIME, frame_locked=FLAG,
            metadata=_list(_object(key=TEXT, value=TEXT)),
            cubes=_list(_object(pose=POSE, size=VECTOR, color=COLOUR)),
            arrows=_list(_object(pose=POSE, shaft_length=NUMBER, shaft_diameter=NUMBER, head_length=NUMBER,
                                 head_diameter=NUMBER, color=COLOUR)),
            texts=_list(_object(pose=POSE, billboard=FLAG, font_size=NUMBER, scale_invariant=FLAG,
                                color=COLOUR, text=TEXT))))),
}


def check_mcap() -> None:
    """Raises UserError if the package is not installed."""
    try:
        import mcap  # noqa: F401
    except ImportError as error:
        raise UserError('MCAP files need the package mcap, which is not installed; run '
                        "pip install 'geminifusion3d[mcap]', or pip install mcap") from error


def write_mcap(path: Path, detector: Detector, samples: Sequence[Sample], found: Sequence[Detections], *,
               min_score: float = 0.1) -> None:
    """Writes the samples in the order of their time; those of one drive make a film.

    Args:
        path: the file.
        detector: whose classes and cameras these are.
        samples: what it saw; where one has no time, all are half a second apart.
        found: what it found in each, in the LiDAR frame.
        min_score: boxes with a lower score are left out.

    Raises:
        UserError: if the package mcap is not installed, or a picture cannot be read.
    """
    check_mcap()
    from mcap.writer import Writer
    times_ns = times_of(samples)
    with atomic_write(path) as part, open(part, 'wb') as stream:
        writer = Writer(stream)
        writer.start(library='geminifusion3d')
        schemas = {name: writer.register_schema(name, 'jsonschema', json.dumps(
            {'title': name, **schema}).encode()) for name, schema in SCHEMAS.items()}
        channels: Dict[str, int] = {}
        for index in np.argsort(times_ns, kind='stable'):
            at_ns = times_ns[index]
            shown = found[index].above(min_score)
            for topic, kind, message in _messages(detector, samples[index], shown, at_ns):
                if topic not in channels:
                    channels[topic] = writer.register_channel(topic, 'json', schemas[kind])
                writer.add_message(channels[topic], log_time=at_ns, publish_time=at_ns,
                                   data=json.dumps(message, allow_nan=False).encode())
        writer.finish()


def times_of(samples: Sequence[Sample]) -> List[int]:
    """Returns the nanoseconds of samples; if one has no time, all are STEP_NS apart in their order.

    Args:
        samples: what was predicted on.
    """
    times_ns = [int(sample.info.get('timestamp_us') or 0) * 1000 for sample in samples]
    return times_ns if all(times_ns) else [index * STEP_NS for index in range(len(samples))]


def _messages(detector: Detector, sample: Sample, shown: Detections, at_ns: int) -> Iterator[Message]:
    """Yields topic, schema and content of one sample's messages."""
    info = {'lidar_sweeps': [], **detector.sensors_of(sample), 'timestamp_us': 0}
    stamp = _time(at_ns)
    if shown.global_from_ego is not None and shown.ego_from_lidar is not None:
        yield _transform(stamp, 'map', 'ego', shown.global_from_ego)
        yield _transform(stamp, 'ego', 'lidar', shown.ego_from_lidar)
    # Whoever replays a drive expects the returns from the car itself as well.
    load = GeminiLoadPoints(sweeps_num=0, remove_close_m=0, missing='mark')
    points = load(info)['points'].tensor[:, :len(FIELDS)].numpy()
    yield '/lidar', 'foxglove.PointCloud', {
        'timestamp': stamp, 'frame_id': 'lidar', 'pose': _pose(np.eye(4)), 'point_stride': 4 * len(FIELDS),
        'fields': [{'name': name, 'offset': 4 * place, 'type': FLOAT32} for place, name in enumerate(FIELDS)],
        'data': base64.b64encode(points.astype('<f4').tobytes()).decode()}
    for name in detector.camera_names:
        image = info.get('images', {}).get(name, {})
        if image.get('img_path') is not None:
            yield from _camera(name, image, stamp)
    yield '/predictions', 'foxglove.SceneUpdate', _boxes(
        stamp, shown.boxes, [detector.palette_rgb[label] for label in shown.labels],
        [f'{name} {score:.2f}' for name, score in zip(shown.names, shown.scores)])
    truth = detector.truth_of(sample)
    if truth is not None:
        boxes = np.hstack([truth['gt_bboxes_3d'].gravity_center, truth['gt_bboxes_3d'].tensor[:, 3:7]])
        names = [detector.class_names[label] if label >= 0 else '' for label in truth['gt_labels_3d']]
        yield '/ground_truth', 'foxglove.SceneUpdate', _boxes(stamp, boxes, [TRUTH_RGB] * len(boxes), names)


def _camera(name: str, image: Dict[str, Any], stamp: Dict[str, int]) -> Iterator[Message]:
    """Yields where a camera is, its calibration and its picture, whose bytes stay as they are in the file."""
    yield _transform(stamp, 'lidar', name, invert_pose(np.asarray(image['lidar2cam'], float)))
    source = image['img_path']
    content = cv2.imencode('.png', source)[1].tobytes() if isinstance(source, np.ndarray) \
        else Path(source).read_bytes()
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise UserError(f'{source} is no picture that OpenCV reads; expected JPEG or PNG')
    height, width = decoded.shape[:2]
    cam2img = np.asarray(image['cam2img'], float)[:3, :3]
    # The record's matrix may belong to another size than the file has.
    scale = np.diag([width / (image.get('width') or width), height / (image.get('height') or height), 1])
    intrinsic = scale @ cam2img
    yield f'/{name}/calibration', 'foxglove.CameraCalibration', {
        'timestamp': stamp, 'frame_id': name, 'width': width, 'height': height, 'distortion_model': '',
        'D': [], 'K': intrinsic.ravel().tolist(), 'R': np.eye(3).ravel().tolist(),
        'P': np.hstack([intrinsic, np.zeros((3, 1))]).ravel().tolist()}
    yield f'/{name}/image', 'foxglove.CompressedImage', {
        'timestamp': stamp, 'frame_id': name, 'data': base64.b64encode(content).decode(),
        'format': 'png' if content.startswith(b'\x89PNG') else 'jpeg'}


def _boxes(stamp: Dict[str, int], boxes: np.ndarray, colours_rgb: Sequence[Sequence[int]],
           texts: Sequence[str]) -> Dict[str, Any]:
    """Returns an update that replaces what was shown: a cube, an arrow ahead and a text per box."""
    entities: List[Dict[str, Any]] = []
    for place, ((x, y, z, length, width, height, yaw), rgb, text) in enumerate(
            zip(np.asarray(boxes, float).tolist(), colours_rgb, texts)):
        turned = {'x': 0, 'y': 0, 'z': np.sin(yaw / 2), 'w': np.cos(yaw / 2)}
        pose = {'position': _vector((x, y, z)), 'orientation': turned}
        colour = dict(zip('rgb', (value / 255 for value in rgb)))
        entities.append({
            'timestamp': stamp, 'frame_id': 'lidar', 'id': str(place), 'lifetime': _time(0),
            'frame_locked': True, 'metadata': [{'key': 'label', 'value': text}],
            'cubes': [{'pose': pose, 'size': _vector((length, width, height)),
                       'color': {**colour, 'a': 0.35}}],
            'arrows': [{'pose': pose, 'shaft_length': length / 2, 'shaft_diameter': 0.1, 'head_length': 0.4,
                        'head_diameter': 0.3, 'color': {**colour, 'a': 1}}],
            'texts': [{'pose': {**pose, 'position': _vector((x, y, z + height / 2 + 0.5))}, 'billboard': True,
                       'font_size': 12, 'scale_invariant': True, 'color': {**colour, 'a': 1}, 'text': text}]})
    return {'deletions': [{'timestamp': stamp, 'type': DELETE_ALL, 'id': ''}], 'entities': entities}


def _transform(stamp: Dict[str, int], parent: str, child: str, parent_from_child: np.ndarray) -> Message:
    pose = _pose(parent_from_child)
    return '/tf', 'foxglove.FrameTransform', {
        'timestamp': stamp, 'parent_frame_id': parent, 'child_frame_id': child,
        'translation': pose['position'], 'rotation': pose['orientation']}


def _pose(matrix: np.ndarray) -> Dict[str, Any]:
    # Poses from files are rotations to single precision only.
    w, x, y, z = Quaternion(matrix=matrix[:3, :3], rtol=1e-3, atol=1e-3).normalised.elements.tolist()
    return {'position': _vector(matrix[:3, 3].tolist()), 'orientation': {'x': x, 'y': y, 'z': z, 'w': w}}


def _vector(xyz: Sequence[float]) -> Dict[str, float]:
    return dict(zip('xyz', xyz))


def _time(at_ns: int) -> Dict[str, int]:
    return {'sec': at_ns // NANOSECONDS, 'nsec': at_ns % NANOSECONDS}
