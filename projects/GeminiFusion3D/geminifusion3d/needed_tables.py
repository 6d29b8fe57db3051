"""The devkit's tables of nuScenes, of which only the rows that this project asks for are held.

Subclass of nuscenes-devkit 1.2.0 `NuScenes`. The delta: tables are read row by row, and rows of
camera pictures between keyframes, of other scenes and, unless they are asked for, of radars stay on disk;
equal texts are held once; where the folder has a list of check sums, a change is said.
"""
import sys
from pathlib import Path
from typing import Any, Callable, Collection, Dict, List, Optional, Set, Union

from nuscenes.nuscenes import NuScenes

from .check_sums import warn_if_changed
from .nuscenes_facts import CAMERA_NAMES, LIDAR_NAME, RADAR_NAMES
from .submission.json_stream import JsonReader

Row = Dict[str, Any]


class NeededTables(NuScenes):
    """The 13 tables, those of shots and poses without what nobody reads.

    Args:
        data_root: of the dataset.
        version: folder of its tables.
        scenes: names of the scenes whose rows are held; None: all.
        with_sweeps: hold the LiDAR's shots between keyframes.
        with_radars: hold the radars' shots, those between keyframes too.
    """

    def __init__(self, data_root: Union[str, Path], version: str, *,
                 scenes: Optional[Collection[str]] = None, with_sweeps: bool = False,
                 with_radars: bool = False) -> None:
        self._scenes, self._with_sweeps = scenes, with_sweeps
        self._radars = RADAR_NAMES if with_radars else ()
        self._held: Dict[str, List[Row]] = {}
        self._texts: Dict[str, str] = {}
        super().__init__(version=version, dataroot=str(data_root), verbose=False)
        self._held.clear()
        self._texts.clear()

    def __load_table__(self, table_name: str) -> List[Row]:
        """Reads a table, or returns it where another one has asked for it before."""
        if table_name not in self._held:
            is_needed = self._filter(table_name)
            path = Path(self.table_root, f'{table_name}.json')
            warn_if_changed(path)
            with path.open('rb') as file:
                reader = JsonReader(file)
                self._held[table_name] = [self._shared(row) for row in reader.elements() if is_needed(row)]
                reader.finish()
        return self._held[table_name]

    def _shared(self, row: Row) -> Row:
        """Returns a row whose keys and texts are those of earlier rows: a token occurs in many."""
        return {sys.intern(key): self._texts.setdefault(value, value) if isinstance(value, str) else value
                for key, value in row.items()}

    def _filter(self, table: str) -> Callable[[Row], bool]:
        if table == 'sample_data':
            return self._shots()
        if table == 'ego_pose':
            poses = {row['ego_pose_token'] for row in self.__load_table__('sample_data')}
            return lambda row: row['token'] in poses
        names = self._scenes
        if names is not None and table == 'scene':
            return lambda row: row['name'] in names
        if names is not None and table == 'sample':
            scenes = self._tokens('scene')
            return lambda row: row['scene_token'] in scenes
        if names is not None and table == 'sample_annotation':
            samples = self._tokens('sample')
            return lambda row: row['sample_token'] in samples
        return lambda row: True

    def _shots(self) -> Callable[[Row], bool]:
        channel_of = {row['token']: row['channel'] for row in self.__load_table__('sensor')}
        channel_of = {row['token']: channel_of.get(row['sensor_token'])
                      for row in self.__load_table__('calibrated_sensor')}
        samples = None if self._scenes is None else self._tokens('sample')
        # A shot of no known sensor stays: the devkit says that the tables do not fit together.
        always = {None, *CAMERA_NAMES, LIDAR_NAME, *self._radars}

        def is_needed(row: Row) -> bool:
            channel = channel_of.get(row['calibrated_sensor_token'])
            return ((samples is None or row['sample_token'] in samples) and channel in always
                    and (row['is_key_frame'] or channel is None or channel in self._radars
                         or (self._with_sweeps and channel == LIDAR_NAME)))
        return is_needed

    def _tokens(self, table: str) -> Set[str]:
        return {row['token'] for row in self.__load_table__(table)}
