"""Are the sensor files there and whole? An interrupted download shows here, not in training."""
import os
from collections import Counter
from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

BYTES_PER_LIDAR_POINT = 20  # x, y, z, intensity, ring as float32
JPEG_START, JPEG_END = b'\xff\xd8', b'\xff\xd9'
JPEG_TAIL_BYTES = 64  # some encoders pad after the end marker

ARCHIVES: Dict[str, str] = {
    'mini': 'v1.0-mini.tgz',
    'trainval': 'v1.0-trainval01_blobs.tgz to v1.0-trainval10_blobs.tgz',
    'test': 'v1.0-test_blobs.tgz',
}

# (what is wrong, scene name, file name relative to the data root)
Problem = Tuple[str, str, str]


def sensor_file_problem(path: Union[str, Path]) -> Optional[str]:
    """Says what is wrong with a sweep (`.bin`) or an image: missing, empty, truncated; or None.

    A truncated JPEG has lost its end marker; a truncated sweep mostly ends inside a point.
    """
    try:
        size = os.stat(path).st_size
    except (FileNotFoundError, NotADirectoryError):
        return 'missing'
    if size == 0:
        return 'empty'
    if os.fspath(path).endswith('.bin'):
        return 'truncated' if size % BYTES_PER_LIDAR_POINT else None
    with open(path, 'rb', buffering=0) as image:
        start = image.read(len(JPEG_START))
        image.seek(max(0, size - JPEG_TAIL_BYTES))
        return None if start == JPEG_START and JPEG_END in image.read(JPEG_TAIL_BYTES) else 'truncated'


def describe_problems(problems: List[Problem], num_files: int, root: Path, version: str) -> str:
    """Puts all problems into one sentence: how many, where, first names, what to unpack again."""
    kinds = Counter(kind for kind, _, _ in problems)
    folders = Counter('/'.join(Path(name).parts[:2]) for _, _, name in problems)
    scenes = sorted({scene for _, scene, _ in problems})
    archive = next((text for ending, text in ARCHIVES.items() if version.endswith(ending)),
                   'the archives with sensor data')
    return (f'{len(problems)} of {num_files} sensor files under {root} cannot be used ('
            + ', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items())) + '; in '
            + ', '.join(f'{folder} {count}' for folder, count in sorted(folders.items()))
            + f'; {len(scenes)} scenes, first {scenes[0]}), first: '
            + ', '.join(name for _, _, name in problems[:3])
            + f'; download and unpack {archive} again')
