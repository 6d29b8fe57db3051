"""One scene from its name to its files: build the world, drive through it, fire every sensor."""
import os
from pathlib import Path
from typing import Dict, List, NamedTuple

import numpy as np

from geminifusion3d.picture_files import encode

from .annotations import observe
from .camera import JPEG_OPTIONS, pixel_rays, take_picture
from .city import build_city
from .ego import plan_drive
from .ground import paint_ground
from .lidar import scan
from .placement import Actor, Occupancy
from .population import is_empty_street, populate
from .radar import sense, to_pcd
from .rig import CAMERAS, LIDAR, RADARS, Shot, build_rig, plan_shots
from .scene_names import recording_of
from .scene_rows import SceneRows
from .scenery import build_houses, furnish
from .seeding import make_rng
from .shading import Look
from .tables import Tables
from .weather import describe, make_weather
from .world import Moment, World

# A scene lasts 20 s.
MAX_SAMPLES = 40
_WORDS = ('parked trucks', 'construction', 'peds on sidewalk', 'bicycle rack', 'bus', 'barriers',
          'many cars', 'parked motorcycles')


class SceneJob(NamedTuple):
    """What decides the bytes of one scene."""

    seed: int
    scene_name: str
    samples: int
    all_sweeps: bool
    is_annotated: bool


def write_file(path: Path, content: bytes) -> None:
    """Writes a file under a fixed temporary name first: a killed run's leftover is overwritten."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.name}.part')
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        # On a full disk half a file would keep it full.
        part.unlink(missing_ok=True)


class SceneSimulation:
    """The world of one scene and the sensors in it."""

    def __init__(self, job: SceneJob, root: Path) -> None:
        self._job, self._root = job, root
        self._recording = recording_of(job.seed, job.scene_name)
        city = build_city(self._recording.location)
        self._drive = plan_drive(job.seed, job.scene_name, city)
        occupancy = Occupancy(self._drive)
        self._actors: List[Actor] = populate(job.seed, job.scene_name, city, self._drive, occupancy)
        scenery = furnish(job.seed, job.scene_name, city, self._drive, occupancy)
        houses = build_houses(job.seed, city, self._drive.xy_m)
        origin_xy_m = self._drive.xy_m.mean(0).round()
        self._world = World([*self._actors, *scenery, *houses], origin_xy_m)
        self._look = Look(self._world, paint_ground(city, origin_xy_m, self._drive.xy_m),
                          make_weather(job.seed, job.scene_name))
        self._rig = build_rig(job.seed, self._recording.log_name)
        self._rays = {channel: pixel_rays(self._rig[channel].intrinsic) for channel in CAMERAS}
        self._rows = SceneRows(job.seed, job.scene_name, self._describe(), self._recording, self._rig)

    def _describe(self) -> str:
        if not self._job.is_annotated:
            return ''
        if is_empty_street(self._job.scene_name):
            return describe(self._job.scene_name, ('empty street',))
        turned = float(np.interp(10.0, self._drive.time_s, self._drive.yaw) - self._drive.yaw[0])
        rng = make_rng(self._job.seed, self._job.scene_name, 'description')
        seen = rng.permutation(_WORDS)[:4].tolist()
        words = (*seen, 'intersection', 'turn left' if turned > 0 else 'turn right')
        return describe(self._job.scene_name, words)

    def _local_from_ego(self, time_s: float) -> np.ndarray:
        local_from_ego = self._drive.global_from_ego(time_s)
        local_from_ego[:2, 3] -= self._world.origin_xy_m
        return local_from_ego

    def _rng(self, shot: Shot) -> np.random.Generator:
        return make_rng(self._job.seed, self._job.scene_name, shot.channel, shot.timestamp_us)

    def _fire(self, shot: Shot, moment: Moment, local_from_ego: np.ndarray) -> np.ndarray:
        """Simulates one firing and writes its file; returns what was measured, in sensor axes."""
        mount = self._rig[shot.channel]
        local_from_sensor = local_from_ego @ mount.ego_from_sensor
        path = self._root / self._rows.add_shot(shot, self._drive)
        if shot.channel in CAMERAS:
            image = take_picture(self._look, moment, local_from_sensor, self._rays[shot.channel],
                                 local_from_ego[:3, 0], self._rng(shot))
            write_file(path, encode(image, '.jpg', *JPEG_OPTIONS))
            return image
        if shot.channel == LIDAR:
            sweep = scan(self._world, moment, local_from_sensor, mount.ego_from_sensor,
                         self._look.weather, self._rng(shot))
            write_file(path, sweep.tobytes())
            return sweep
        time_s = (shot.timestamp_us - self._recording.start_us) / 1e6
        returns = sense(self._world, moment, local_from_sensor, self._drive.velocity_at(time_s),
                        self._rng(shot))
        write_file(path, to_pcd(returns))
        return np.stack([returns['x'], returns['y'], returns['z']], 1)

    def _observe(self, index: int, shot: Shot, moment: Moment, sweep: np.ndarray,
                 radar_points_m: np.ndarray) -> None:
        time_s = (shot.timestamp_us - self._recording.start_us) / 1e6
        local_from_lidar = self._local_from_ego(time_s) @ self._rig[LIDAR].ego_from_sensor
        points_m = sweep[:, :3] @ local_from_lidar[:3, :3].T + local_from_lidar[:3, 3]
        rng = make_rng(self._job.seed, self._job.scene_name, 'visibility', index)
        self._rows.add_observations(index, self._actors, observe(
            self._world, moment, local_from_lidar, points_m, radar_points_m, rng))

    def _run_keyframe(self, index: int, shots: List[Shot]) -> None:
        """Fires everything that belongs to one sample, then annotates it."""
        radar_points: List[np.ndarray] = [np.zeros((0, 3))]
        key: Dict[str, tuple] = {}
        for shot in shots:
            time_s = (shot.timestamp_us - self._recording.start_us) / 1e6
            local_from_ego = self._local_from_ego(time_s)
            moment = self._world.at(time_s, local_from_ego[:2, 3])
            measured = self._fire(shot, moment, local_from_ego)
            if shot.channel in RADARS and shot.is_key_frame:
                local_from_radar = local_from_ego @ self._rig[shot.channel].ego_from_sensor
                radar_points.append(measured @ local_from_radar[:3, :3].T + local_from_radar[:3, 3])
            if shot.channel == LIDAR and shot.is_key_frame:
                self._rows.add_sample(index, shot.timestamp_us)
                key = {'lidar': (shot, moment, measured)}
        if self._job.is_annotated:
            self._observe(index, *key['lidar'], np.concatenate(radar_points))

    def run(self) -> Tables:
        """Writes every sensor file of the scene and returns its tables."""
        shots = plan_shots(self._job.seed, self._job.scene_name, self._recording.start_us,
                           self._job.samples, self._job.all_sweeps)
        for index in range(self._job.samples):
            self._run_keyframe(index, [shot for channel in shots.values() for shot in channel
                                       if shot.sample_index == index])
        return self._rows.tables(self._actors)
