"""Collects the table rows of one scene while its sensors are simulated."""
from typing import Dict, List

import numpy as np

from .annotations import Observation
from .ego import EgoDrive
from .placement import Actor
from .rig import CAMERAS, IMAGE_SIZE, Mount, Shot
from .scene_names import Recording
from .seeding import make_token
from .tables import Row, Tables, attribute_token, category_token, link_in_order, sensor_token

_SUFFIX = {'camera': 'jpg', 'lidar': 'pcd.bin', 'radar': 'pcd'}


class SceneRows:
    """The rows of one scene; sensors and observations are added, `tables` links them."""

    def __init__(self, seed: int, scene_name: str, description: str, recording: Recording,
                 rig: Dict[str, Mount]) -> None:
        self._seed = seed
        self._name = scene_name
        self._recording = recording
        self._rig = rig
        self._description = description
        self._samples: List[Row] = []
        self._data: Dict[str, List[Row]] = {channel: [] for channel in rig}
        self._poses: List[Row] = []
        self._annotations: Dict[int, List[Row]] = {}

    def _token(self, *names: object) -> str:
        return make_token(self._seed, self._name, *names)

    def add_sample(self, index: int, timestamp_us: int) -> None:
        """Adds a keyframe."""
        self._samples.append({'token': self._token('sample', index), 'timestamp': timestamp_us,
                              'prev': '', 'next': '', 'scene_token': self._token('scene')})

    def add_shot(self, shot: Shot, drive: EgoDrive) -> str:
        """Adds a firing of a sensor and the car's pose; returns the file's name in the dataset."""
        mount = self._rig[shot.channel]
        suffix = _SUFFIX[mount.modality]
        folder = 'samples' if shot.is_key_frame else 'sweeps'
        filename = (f'{folder}/{shot.channel}/{self._recording.log_name}__{shot.channel}__'
                    f'{shot.timestamp_us}.{suffix}')
        token = self._token('sample_data', shot.channel, shot.timestamp_us)
        time_s = (shot.timestamp_us - self._recording.start_us) / 1e6
        is_image = shot.channel in CAMERAS
        self._poses.append({
            'token': token, 'timestamp': shot.timestamp_us,
            'rotation': [float(value) for value in drive.rotation_at(time_s)],
            'translation': [*drive.xy_at(time_s).tolist(), 0.0]})
        self._data[shot.channel].append({
            'token': token, 'sample_token': self._token('sample', shot.sample_index),
            'ego_pose_token': token,
            'calibrated_sensor_token': self._token('calibrated_sensor', shot.channel),
            'timestamp': shot.timestamp_us, 'fileformat': 'jpg' if is_image else 'pcd',
            'is_key_frame': shot.is_key_frame, 'height': IMAGE_SIZE[1] if is_image else 0,
            'width': IMAGE_SIZE[0] if is_image else 0, 'filename': filename,
            'prev': '', 'next': ''})
        return filename

    def add_observations(self, sample_index: int, actors: List[Actor],
                         observations: List[Observation]) -> None:
        """Adds the annotations of a keyframe."""
        for seen in observations:
            actor = actors[seen.actor_index]
            length, width, height = (float(value) for value in actor.size_m)
            attributes = [attribute_token(self._seed, actor.attribute)] if actor.attribute else []
            self._annotations.setdefault(seen.actor_index, []).append({
                'token': self._token('annotation', actor.name, sample_index),
                'sample_token': self._token('sample', sample_index),
                'instance_token': self._token('instance', actor.name),
                'visibility_token': str(seen.visibility), 'attribute_tokens': attributes,
                'translation': seen.center_xyz_m.round(6).tolist(),
                'size': [width, length, height],
                'rotation': [float(np.cos(actor.yaw / 2)), 0.0, 0.0, float(np.sin(actor.yaw / 2))],
                'prev': '', 'next': '', 'num_lidar_pts': seen.num_lidar_pts,
                'num_radar_pts': seen.num_radar_pts})

    def _seen_annotations(self) -> Dict[int, List[Row]]:
        """Returns each object's rows from the first to the last in which a sensor touched it.

        Annotators know an object only once it has been seen; between, they keep its hidden boxes.
        """
        kept = {}
        for index, rows in sorted(self._annotations.items()):
            touched = [place for place, row in enumerate(rows)
                       if row['num_lidar_pts'] + row['num_radar_pts'] > 0]
            if touched:
                kept[index] = link_in_order(rows[touched[0]:touched[-1] + 1])
        return kept

    def _instances(self, actors: List[Actor], annotations: Dict[int, List[Row]]) -> List[Row]:
        return [{'token': self._token('instance', actors[index].name),
                 'category_token': category_token(self._seed, actors[index].category),
                 'nbr_annotations': len(rows), 'first_annotation_token': rows[0]['token'],
                 'last_annotation_token': rows[-1]['token']}
                for index, rows in annotations.items()]

    def _calibration(self) -> List[Row]:
        return [{'token': self._token('calibrated_sensor', channel),
                 'sensor_token': sensor_token(self._seed, channel),
                 'translation': list(mount.translation_m),
                 'rotation': [float(value) for value in mount.rotation],
                 'camera_intrinsic': [] if mount.intrinsic is None else mount.intrinsic.tolist()}
                for channel, mount in self._rig.items()]

    def tables(self, actors: List[Actor]) -> Tables:
        """Returns the scene's rows, linked; poses in the order in which they were added."""
        log_token = make_token(self._seed, 'log', self._recording.log_name)
        samples = link_in_order(self._samples)
        annotations = self._seen_annotations()
        return {
            'log': [{'token': log_token, 'logfile': self._recording.log_name,
                     'vehicle': self._recording.vehicle, 'date_captured': self._recording.date,
                     'location': self._recording.location}],
            'scene': [{'token': self._token('scene'), 'log_token': log_token,
                       'nbr_samples': len(samples), 'first_sample_token': samples[0]['token'],
                       'last_sample_token': samples[-1]['token'], 'name': self._name,
                       'description': self._description}],
            'sample': samples,
            'sample_data': [row for rows in self._data.values() for row in link_in_order(rows)],
            'ego_pose': self._poses,
            'calibrated_sensor': self._calibration(),
            'instance': self._instances(actors, annotations),
            'sample_annotation': [row for rows in annotations.values() for row in rows]}
