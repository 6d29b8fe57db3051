"""Are the sensor files there, whole, and of the size that the tables say? Seen here, not in training."""
import mmap
import os
from collections import Counter
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from ..errors import UserError
from ..picture_files import decode, look_at, resize_ratio

ARCHIVES: Dict[str, str] = {
    'mini': 'v1.0-mini.tgz',
    'trainval': 'v1.0-trainval01_blobs.tgz to v1.0-trainval10_blobs.tgz',
    'test': 'v1.0-test_blobs.tgz',
}

# (what is wrong, scene name, file name relative to the data root)
Problem = Tuple[str, str, str]


def picture_file_facts(path: str, expected_hw: Tuple[int, int] = (0, 0), *, decodes: bool = False
                       ) -> Tuple[Optional[str], Optional[Tuple[int, int]]]:
    """Looks at a picture's header and end.

    Args:
        path: the file.
        expected_hw: height and width that the calibration belongs to; zeros where nobody knows.
        decodes: also decode it, which finds damage in its middle.

    Returns:
        What is wrong with it, or None; and its size if that is another one, to which it was resized.
    """
    try:
        with open(path, 'rb') as file:
            if os.fstat(file.fileno()).st_size == 0:
                return 'empty', None
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                picture = look_at(data, checks_sums=decodes)
                if decodes and not picture.problem:
                    decode(data[:], reduce=8)
    except UserError:
        return 'damaged', None
    except (FileNotFoundError, NotADirectoryError):
        return 'missing', None
    except (OSError, ValueError) as error:
        return f'unreadable ({getattr(error, "strerror", None) or error})', None
    if picture.problem or not all(expected_hw) or picture.hw == tuple(expected_hw):
        return picture.problem, None
    if resize_ratio(picture.hw, expected_hw) is None:
        return 'cropped or stretched against the size in the tables', picture.hw
    return None, picture.hw


def describe_problems(problems: List[Problem], num_files: int, root: Path, version: str) -> str:
    """Puts all problems into one sentence: how many, where, first names, what to do."""
    kinds = Counter(kind for kind, _, _ in problems)
    folders = Counter('/'.join(Path(name).parts[:2]) for _, _, name in problems)
    scenes = sorted({scene for _, scene, _ in problems})
    archive = next((text for ending, text in ARCHIVES.items() if version.endswith(ending)), None)
    remedy = 'write these files, or the size in the tables, again'
    if archive:
        remedy = (f'for the nuScenes of Motional, download and unpack {archive} again; for data of your own, '
                  + remedy)
    return (f'{len(problems)} of {num_files} sensor files under {root} cannot be used ('
            + ', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items())) + '; in '
            + ', '.join(f'{folder} {count}' for folder, count in sorted(folders.items()))
            + f'; {len(scenes)} scenes, first {scenes[0]}), first: '
            + ', '.join(name for _, _, name in problems[:3])
            + f'; {remedy}, or go on without them: --mark-damaged')
