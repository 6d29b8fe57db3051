"""A folder that a generator may write to: new, empty, or its own with the same arguments."""
import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

from tqdm import tqdm

from geminifusion3d.atomic import locked_folder, write_json
from geminifusion3d.errors import UserError

from .scene_names import choose_scenes
from .scene_simulation import MAX_SAMPLES, SceneJob, write_file

WriteScene = Callable[[SceneJob, int, Callable[[], None]], List[Any]]


@contextmanager
def own_folder(out: Path, mark: str, arguments: Dict[str, Any]) -> Iterator[None]:
    """Holds the folder of a dataset whose bytes follow from some arguments.

    Args:
        out: the folder.
        mark: name of the file that says whose it is.
        arguments: what decides the bytes.

    Raises:
        UserError: if it holds something else, or the same of other arguments; nothing is changed then.
    """
    path = out / mark
    if out.exists() and any(out.iterdir()) and not path.exists():
        raise UserError(
            f'{out} holds something that this tool did not write: choose another folder, nothing was changed')
    if path.exists():
        before = _read(path)
        for key, value in arguments.items():
            if before.get(key, value) != value:
                raise UserError(f'{out} holds the same made with {key}={before[key]}, now {key}={value} is '
                                'asked for: give the same value, or another folder; nothing was changed')
    with locked_folder(out):
        write_json(path, arguments)
        yield


@contextmanager
def own_scenes(out: Path, mark: str, write: WriteScene, unit: str, *, scenes: int, samples_per_scene: int,
               seed: int) -> Iterator[Tuple[List[Any], List[Any]]]:
    """Writes the scenes of a dataset into a folder and holds it.

    Args:
        out: new, empty, or a folder that this function wrote with the same numbers.
        mark: name of the file that says whose it is.
        write: gets a scene, its number and what counts a sample; writes it and returns one item per sample.
        unit: what a sample is called.
        scenes: how many, from 2.
        samples_per_scene: samples at 2 Hz, from 2.
        seed: same seed, same bytes.

    Yields:
        What was returned of the scenes for training, and of the last quarter, at least one, for scoring.

    Raises:
        UserError: for a folder that holds something else, or numbers out of range.
    """
    if scenes < 2 or not 2 <= samples_per_scene <= MAX_SAMPLES:
        raise UserError(f'got {scenes} scenes of {samples_per_scene} {unit}s; expected at least 2 of 2 to '
                        f'{MAX_SAMPLES}')
    arguments = {'seed': seed, 'scenes': scenes, 'samples_per_scene': samples_per_scene}
    num_train = scenes - max(1, scenes // 4)
    found: Tuple[List[Any], List[Any]] = ([], [])
    with own_folder(out, mark, arguments), tqdm(total=scenes * samples_per_scene, unit=unit) as bar:
        for number, name in enumerate(choose_scenes('v1.0-trainval', scenes)):
            found[number >= num_train].extend(
                write(SceneJob(seed, name, samples_per_scene, False, True), number, bar.update))
        yield found


def write_own_file(path: Path, content: bytes) -> None:
    """Writes a file unless it is there; what somebody else put in its place stays, with a UserError."""
    if path.exists():
        if path.read_bytes() != content:
            raise UserError(f'{path} is not what this tool, in this version, writes there: somebody else '
                            'wrote it, or it is damaged; choose another folder, or move it away')
        return
    write_file(path, content)


def _read(path: Path) -> Dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f'{path} is damaged ({error}): choose another folder') from error
    return content if isinstance(content, dict) else {}
