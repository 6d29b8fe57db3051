"""Third step of the conversion: one scene's tables become info records in mmdet3d's v2 layout.

Records hold builtin types only (matrices are nested lists), so that they can be read without
executing code. All poses are chained through the global frame in float64, a scene's at once.
Differences from the `nuscenes_converter.py` of mmdet3d: a camera without a usable picture has `img_path`
None, sweeps go back in time and not too far, and what no geometry can hold is left out and counted.
"""
from typing import Any, Dict, List, Optional

import numpy as np
from nuscenes.nuscenes import NuScenes

from ..errors import UserError
from ..geometry.frames import invert_pose
from ..nuscenes_facts import CAMERA_NAMES, LIDAR_NAME, RADAR_NAMES
from ..paths import checked_relative_path
from ..sensors.odd_calibrations import odd_cameras, odd_intrinsics, odd_radars
from .findings import Findings
from .instance_infos import MICROSECONDS, instance_infos
from .nuscenes_tables import get_row
from .sensor_poses import SensorPoses, sound_numbers

NUM_LIDAR_FEATURES = 5
# Ten sweeps at 20 Hz are half a second; where some were lost it is a little more.
OLDEST_SWEEP_US = 5_000_000
# Between keyframes; what differs from these is in other units than microseconds.
STEPS_US = (10_000, 60_000_000)
# Cosine of the angle between up and a car's up, and how far a sensor is from the middle of its rear axle.
LEAST_UPRIGHT, FARTHEST_MOUNT_M = 0.7, 100.0

Info = Dict[str, Any]


def scene_infos(nusc: NuScenes, scene_token: str, max_sweeps: int, findings: Optional[Findings] = None,
                radar_sweeps: Optional[int] = None) -> List[Info]:
    """Builds the records of one scene's keyframes in the order of time.

    They lack `sample_idx`, which their place in a split gives.

    Args:
        nusc: the opened tables.
        scene_token: which scene.
        max_sweeps: how many LiDAR sweeps before each keyframe to list.
        findings: takes note of what is left out or masked.
        radar_sweeps: how many sweeps of each radar before each keyframe to list beside its own; None: leave
            the radars out.

    Raises:
        UserError: if the tables do not fit together.
    """
    findings = findings or Findings()
    scene = get_row(nusc, 'scene', scene_token)
    samples = _samples(nusc, scene, findings)
    sweeps = [_sweeps_before(nusc, sample['data'][LIDAR_NAME], max_sweeps, findings) for sample in samples]
    radars = {} if radar_sweeps is None else {
        sample['token']: _radar_shots(nusc, sample, radar_sweeps, findings) for sample in samples}
    keyframes = [get_row(nusc, 'sample_data', token) for sample in samples
                 for name in (LIDAR_NAME, *CAMERA_NAMES) if (token := sample['data'].get(name))]
    poses = SensorPoses(nusc, [*keyframes, *(sweep for some in sweeps for sweep in some),
                               *(shot for by_name in radars.values() for shots in by_name.values()
                                 for shot in shots)])
    found = []
    for sample, some in zip(samples, sweeps):
        if poses.is_sound(sample['data'][LIDAR_NAME]):
            found.append((sample, some))
        else:
            findings.add('keyframes left out: the pose of the car or of the LiDAR is no pose',
                         f'sample {sample["token"]} of {scene["name"]}')
    samples = [sample for sample, _ in found]
    _look_at_times(samples, scene, findings)
    global_from_lidar = poses.global_from_sensors([sample['data'][LIDAR_NAME] for sample in samples])
    infos = [{
        **_keyframe_info(nusc, poses, scene, sample),
        'images': _image_infos(nusc, poses, sample, findings),
        'lidar_points': _lidar_info(nusc, poses, sample),
        'lidar_sweeps': _sweep_infos(poses, sample, some, findings),
        **({'radars': _radar_infos(poses, sample, radars[sample['token']], findings)} if radars else {}),
        'instances': instances,
    } for (sample, some), instances in zip(found, instance_infos(nusc, samples, global_from_lidar, findings))]
    for info in infos:
        if info['ego2global'][2][2] < LEAST_UPRIGHT:
            findings.add('keyframes whose car does not stand upright: is the rotation of ego_pose w, x, y, '
                         'z?', f'sample {info["token"]}')
    # Sensors stay where they are in a scene.
    for info in infos[:1]:
        _look_at_mounts(info, findings)
    return infos


def _look_at_times(samples: List[Info], scene: Info, findings: Findings) -> None:
    """Says if keyframes are so near or far in time that their unit is another."""
    times_us = [at_us for at_us in map(time_us, samples) if at_us is not None]
    step_us = float(np.median(np.diff(times_us))) if len(times_us) > 1 else STEPS_US[0]
    if step_us > 0 and not STEPS_US[0] <= step_us <= STEPS_US[1]:
        findings.add('scenes whose keyframes are not 0.01 to 60 s apart: are their timestamps in '
                     'microseconds?', f'{scene["name"]}, {step_us:g} apart')


def _look_at_mounts(info: Info, findings: Findings) -> None:
    """Says what is a pose, but none of a car and its sensors."""
    where = f'sample {info["token"]}'
    images = {name: image for name, image in info['images'].items() if image['img_path'] is not None}
    mount = info['lidar_points']['lidar2ego']
    mounts = {LIDAR_NAME: mount, **{name: image['cam2ego'] for name, image in images.items()}}
    far = [name for name, pose in mounts.items() if np.linalg.norm(np.array(pose)[:3, 3]) > FARTHEST_MOUNT_M]
    if far:
        findings.add(f'scenes with a sensor farther than {FARTHEST_MOUNT_M:.0f} m from its car: is its '
                     'translation in metres?', f'{where}, {far[0]}')
    # In the frame of the car: a picture belongs to another moment, and a LiDAR may be mounted in any way.
    in_car = {name: {'lidar2cam': invert_pose(np.array(image['cam2ego']))} for name, image in images.items()}
    found = [*odd_cameras(in_car, np.eye(4)), *odd_radars(info.get('radars', {}), mount)]
    for name, image in images.items():
        found += odd_intrinsics(name, image['cam2img'], image['width']) if image['width'] else ()
    for odd in found:
        findings.add(odd.what, f'{where}, {odd.where}')


def time_us(row: Info) -> Optional[int]:
    """Returns the timestamp of a row; None where it is no whole number."""
    value = row['timestamp']
    is_sound = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 2**62
    return int(value) if is_sound and value == int(value) else None


def _samples(nusc: NuScenes, scene: Info, findings: Findings) -> List[Info]:
    """Returns the scene's rows of the sample table in the order of their chain, those with a LiDAR."""
    samples: List[Info] = []
    token, seen = scene['first_sample_token'], set()
    while token:
        if token in seen:
            raise UserError(f'the chain of samples of {scene["name"]} comes back to {token}; mend prev and '
                            'next in the table sample')
        seen.add(token)
        sample = get_row(nusc, 'sample', token)
        token = sample['next']
        where = f'sample {sample["token"]} of {scene["name"]}'
        if LIDAR_NAME not in sample['data']:
            findings.add(f'keyframes left out: no {LIDAR_NAME} in sample_data', where)
        elif time_us(get_row(nusc, 'sample_data', sample['data'][LIDAR_NAME])) is None:
            findings.add('keyframes left out: the timestamp of the LiDAR is no whole number', where)
        else:
            if samples and not (time_us(samples[-1]) or 0) < (time_us(sample) or 0):
                findings.add(
                    'keyframes are not later than the one before: velocities across them are unknown', where)
            samples.append(sample)
    return samples


def _radar_shots(nusc: NuScenes, sample: Info, max_sweeps: int, findings: Findings) -> Dict[str, List[Info]]:
    """By radar its shot at the keyframe and the sweeps before it, newest first."""
    shots: Dict[str, List[Info]] = {}
    for name in RADAR_NAMES:
        token = sample['data'].get(name)
        keyframe = get_row(nusc, 'sample_data', token) if token else None
        if keyframe is None or time_us(keyframe) is None:
            findings.add(f'keyframes without {name}: no shot, or no time of it', f'sample {sample["token"]}')
        else:
            shots[name] = [keyframe, *_sweeps_before(nusc, token, max_sweeps, findings)]
    return shots


def _radar_infos(poses: SensorPoses, sample: Info, radars: Dict[str, List[Info]], findings: Findings
                 ) -> Dict[str, List[Info]]:
    """By radar its shots, each with the pose that takes its returns to the keyframe's LiDAR frame."""
    infos: Dict[str, List[Info]] = {}
    for name, shots in radars.items():
        sound = [shot for shot in shots if poses.is_sound(shot['token'])]
        if len(sound) < len(shots):
            findings.add('radar shots left out: the pose is no pose', f'sample {sample["token"]}',
                         len(shots) - len(sound))
        tokens = [shot['token'] for shot in sound]
        radars_from_lidar = poses.sensors_from_sensor(tokens, sample['data'][LIDAR_NAME])
        infos[name] = [{
            'radar_path': checked_relative_path(shot['filename']),
            'timestamp_us': time_us(shot),
            'sample_data_token': shot['token'],
            'lidar_from_radar': invert_pose(np.array(radar_from_lidar)).tolist(),
        } for shot, radar_from_lidar in zip(sound, radars_from_lidar)]
    return infos


def _sweeps_before(nusc: NuScenes, token: str, max_sweeps: int, findings: Findings) -> List[Info]:
    """The sweeps before a sensor's shot at the keyframe, newest first; fewer, or none, at a scene's start."""
    sweeps: List[Info] = []
    keyframe = get_row(nusc, 'sample_data', token)
    newer_us = key_us = time_us(keyframe)
    token = keyframe['prev']
    while token and len(sweeps) < max_sweeps:
        sweep = get_row(nusc, 'sample_data', token)
        at_us = time_us(sweep)
        if at_us is None or not at_us < newer_us or key_us - at_us > OLDEST_SWEEP_US:
            findings.add('chains of sweeps cut short: a timestamp that is not earlier, or far earlier',
                         f'sample_data {token}')
            break
        sweeps.append(sweep)
        newer_us, token = at_us, sweep['prev']
    return sweeps


def _keyframe_info(nusc: NuScenes, poses: SensorPoses, scene: Info, sample: Info) -> Info:
    """The LiDAR's time and ego pose are the keyframe's."""
    lidar_token = sample['data'][LIDAR_NAME]
    timestamp_us = time_us(get_row(nusc, 'sample_data', lidar_token))
    return {
        'token': sample['token'],
        'scene_token': scene['token'],
        'scene_name': scene['name'],
        'location': get_row(nusc, 'log', scene['log_token'])['location'],
        'timestamp': timestamp_us * MICROSECONDS,
        'timestamp_us': timestamp_us,
        'ego2global': poses.global_from_ego(lidar_token),
    }


def _lidar_info(nusc: NuScenes, poses: SensorPoses, sample: Info) -> Info:
    token = sample['data'][LIDAR_NAME]
    return {
        'num_pts_feats': NUM_LIDAR_FEATURES,
        'lidar_path': checked_relative_path(get_row(nusc, 'sample_data', token)['filename']),
        'lidar2ego': poses.ego_from_sensor(token),
        'sample_data_token': token,
    }


def _image_infos(nusc: NuScenes, poses: SensorPoses, sample: Info, findings: Findings) -> Dict[str, Info]:
    tokens = {name: sample['data'][name] for name in CAMERA_NAMES if name in sample['data']}
    cams_from_lidar = poses.sensors_from_sensor(list(tokens.values()), sample['data'][LIDAR_NAME])
    infos = {name: _image_info(nusc, poses, token, cam_from_lidar, findings)
             for (name, token), cam_from_lidar in zip(tokens.items(), cams_from_lidar)}
    for name in CAMERA_NAMES:
        findings.pictures[name] += name in tokens
        findings.pictures[name, 'usable'] += infos.get(name) is not None
        if name not in tokens:
            findings.add(f'keyframes without {name}: marked as missing', f'sample {sample["token"]}')
    return {name: infos.get(name) or {'img_path': None} for name in CAMERA_NAMES}


def _image_info(nusc: NuScenes, poses: SensorPoses, token: str, cam_from_lidar: List[List[float]],
                findings: Findings) -> Optional[Info]:
    """Returns the record of a picture; None where nobody can say where its pixels look."""
    camera = get_row(nusc, 'sample_data', token)
    calibration = get_row(nusc, 'calibrated_sensor', camera['calibrated_sensor_token'])
    intrinsic = _intrinsic(calibration['camera_intrinsic'])
    what = 'the pose' if not poses.is_sound(token) else 'camera_intrinsic' if intrinsic is None else ''
    if what:
        findings.add(f'pictures marked as missing: {what} is not usable',
                     f'sample_data {token}, calibrated_sensor {calibration["token"]}')
        return None
    height, width = (camera[side] if isinstance(camera[side], int) and camera[side] > 0 else 0
                     for side in ('height', 'width'))
    if not height or not width:
        findings.add(
            'pictures without a size in the tables: the size of the file is taken',
            f'sample_data {token}')
    return {
        'img_path': checked_relative_path(camera['filename']),
        'cam2img': intrinsic,
        'sample_data_token': token,
        'timestamp': (time_us(camera) or 0) * MICROSECONDS,
        'cam2ego': poses.ego_from_sensor(token),
        'ego2global': poses.global_from_ego(token),
        'lidar2cam': cam_from_lidar,
        'height': height,
        'width': width,
    }


def _intrinsic(value: Any) -> Optional[List[List[float]]]:
    """Returns the 3x3 matrix of a pinhole camera; None for anything else."""
    if not isinstance(value, list) or len(value) != 3:
        return None
    matrix, is_sound = sound_numbers(value, 3)
    is_pinhole = (is_sound.all() and matrix[0, 0] > 0 and matrix[1, 1] > 0
                  and np.allclose(matrix[2], (0, 0, 1)) and abs(matrix[1, 0]) < 1e-6)
    return matrix.tolist() if is_pinhole else None


def _sweep_infos(poses: SensorPoses, sample: Info, sweeps: List[Info], findings: Findings) -> List[Info]:
    unsound = [sweep for sweep in sweeps if not poses.is_sound(sweep['token'])]
    if unsound:
        findings.add(
            'sweeps left out: the pose is no pose',
            f'sample_data {unsound[0]["token"]}',
            len(unsound))
    sweeps = [sweep for sweep in sweeps if poses.is_sound(sweep['token'])]
    tokens = [sweep['token'] for sweep in sweeps]
    sweeps_from_lidar = poses.sensors_from_sensor(tokens, sample['data'][LIDAR_NAME])
    return [{
        'timestamp': time_us(sweep) * MICROSECONDS,
        'timestamp_us': time_us(sweep),
        'sample_data_token': sweep['token'],
        'ego2global': poses.global_from_ego(sweep['token']),
        'lidar_points': {
            'lidar_path': checked_relative_path(sweep['filename']),
            'lidar2ego': poses.ego_from_sensor(sweep['token']),
            'lidar2sensor': sweep_from_lidar,
        },
    } for sweep, sweep_from_lidar in zip(sweeps, sweeps_from_lidar)]
