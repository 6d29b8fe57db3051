"""From a folder's name to a whole dataset: scenes in parallel, resumable, tables last.

State lives in `<out>/.synthetic/<version>`: the arguments, one file of table rows per finished
scene, and, once all is done, the digests of the tables. The version folder appears by one rename when all
scenes are there, so a dataset that opens is complete; the same command continues a run that was killed.

Nothing is written into a folder that holds data of somebody else, and nothing is removed but tables whose
digests are still those that a run of this generator left.
"""
import hashlib
import json
import os
import shutil
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import cv2

from geminifusion3d.atomic import locked_folder, unsealed, write_json
from geminifusion3d.check_sums import file_sum, write_sums
from geminifusion3d.data_converters.parallel import map_with_progress
from geminifusion3d.errors import UserError
from geminifusion3d.picture_files import write_picture

from .city import MAP_TOKENS, build_city, draw_map_mask
from .map_expansion import build_map, draw_basemap
from .scene_names import choose_scenes
from .scene_simulation import MAX_SAMPLES, SceneJob, SceneSimulation
from .tables import TABLES, Tables, join_scenes

FORMAT = 1
_STATE = '.synthetic'
ARGUMENTS, FINISHED = 'arguments.json', 'finished.json'
_LOCATION_OF = {token: location for location, token in MAP_TOKENS.items()}


class Request(NamedTuple):
    """What a dataset is made from; `workers` has no influence on its bytes.

    With `replace`, a dataset that this generator made of other arguments gives way.
    """

    out: Path
    version: str
    scenes: Optional[int] = None
    samples_per_scene: int = 40
    seed: int = 0
    workers: int = 2
    all_sweeps: bool = False
    replace: bool = False

    @property
    def state(self) -> Path:
        """Returns the folder of unfinished work."""
        return self.out / _STATE / self.version

    def arguments(self, scene_names: List[str]) -> Dict[str, Any]:
        """Returns everything that decides the bytes."""
        return {'format': FORMAT, 'seed': self.seed, 'samples_per_scene': self.samples_per_scene,
                'all_sweeps': self.all_sweeps, 'scenes': len(scene_names)}


def _check(request: Request, arguments: Dict[str, Any]) -> None:
    """Refuses numbers out of range and folders that hold something else."""
    if not 2 <= request.samples_per_scene <= MAX_SAMPLES:
        raise UserError(f'--samples-per-scene {request.samples_per_scene} is out of range: '
                        f'a scene lasts 20 s, give 2 to {MAX_SAMPLES}')
    if request.workers < 1:
        raise UserError(f'--workers {request.workers} is out of range: give 1 or more')
    recorded = request.state / ARGUMENTS
    _refuse_others_data(request)
    for path in sorted(request.out.glob(f'{_STATE}/*/{ARGUMENTS}')):
        before = _read_state(path)
        keys = arguments if path == recorded else ('format', 'seed')
        for key in keys:
            if before.get(key) != arguments[key]:
                raise UserError(
                    f'{request.out} holds {path.parent.name} made with {key}={before.get(key)}, '
                    f'now {key}={arguments[key]} is asked for: give the same value, or another --out')


def _refuse_others_data(request: Request) -> None:
    """The folder may hold versions that this generator wrote, and nothing else of a dataset."""
    marked = {path.parent.name for path in request.out.glob(f'{_STATE}/*/{ARGUMENTS}')}
    versions = {path.parent.name for path in request.out.glob('*/*.json') if path.stem in TABLES}
    versions |= {request.version} if (request.out / request.version).exists() else set()
    own = {version for version in marked if not _has_others_tables(request.out, version)}
    others = sorted(versions - own) + [name for name in ('samples', 'sweeps', 'maps') if not marked
                                       and (request.out / name).exists()]
    if others:
        raise UserError(f'{request.out} exists and holds {", ".join(others)}, which was not written by this '
                        'tool: choose another --out, nothing was changed')


def _read_state(path: Path) -> Dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f'{path} is damaged ({error}): choose another --out') from error
    if not isinstance(content, dict):
        raise UserError(f'{path} is damaged: expected an object; choose another --out')
    return content


def _digests(folder: Path) -> Dict[str, str]:
    return {path.name: file_sum(path) for path in sorted(folder.iterdir())}


def _has_others_tables(out: Path, version: str) -> bool:
    """Says whether the tables beside a mark are others than those that the marked run left."""
    finished = out / _STATE / version / FINISHED
    return (out / version).exists() and finished.exists() and _read_state(finished) != _digests(out / version)


def _code_digest() -> str:
    """Returns a digest of this package's source: other code may make other bytes."""
    sources = sorted(Path(__file__).parent.glob('*.py'))
    return hashlib.sha256(b''.join(path.read_bytes() for path in sources)).hexdigest()[:16]


def _remove_own_version(request: Request) -> None:
    """Removes the tables and the state of an earlier run, so that other arguments can take their place.

    Sensor files stay: those of the same names are written again.
    """
    version, finished = request.out / request.version, request.state / FINISHED
    is_own = finished.exists() and not _has_others_tables(request.out, request.version)
    if version.exists() and not is_own:
        raise UserError(f'{version} exists and nothing says that its tables are those that this tool wrote: '
                        'choose another --out, nothing was changed')
    if version.exists():
        for name in _read_state(finished):
            (version / name).unlink()
        version.rmdir()
    shutil.rmtree(request.state)


@contextmanager
def _mistakes_of_the_machine(out: Path) -> Iterator[None]:
    """Says in one sentence what to do about a full disk or a killed worker."""
    remedy = 'mend that and run the same command again, it continues'
    try:
        yield
    except OSError as error:
        raise UserError(f'{out} could not be written ({error}): {remedy}') from error
    except BrokenProcessPool as error:
        raise UserError(f'a worker process was killed, perhaps for memory: {remedy}, '
                        'with fewer --workers if it is memory') from error


def _run_scene(root: Path, task: Tuple[Path, SceneJob]) -> None:
    """Simulates one scene and records its rows last."""
    cv2.setNumThreads(1)
    fragment, job = task
    write_json(fragment, SceneSimulation(job, root).run(), sealed=True)


def _write_maps(root: Path, tables: Tables) -> None:
    """Draws the map image of every location in use."""
    for row in tables['map']:
        write_picture(root / row['filename'], draw_map_mask(build_city(_LOCATION_OF[row['token']])))


def _write_expansions(request: Request) -> None:
    """Writes the map expansion of every location in use; datasets of earlier versions get theirs, too."""
    rows = json.loads((request.out / request.version / 'map.json').read_text())
    for city in (build_city(_LOCATION_OF[row['token']]) for row in rows):
        path = request.out / 'maps' / 'expansion' / f'{city.location}.json'
        if not path.exists():
            write_picture(request.out / 'maps' / 'basemap' / f'{city.location}.png', draw_basemap(city))
            write_json(path, build_map(city))
            write_sums(path.parent, [path.name])


def _publish(request: Request, fragments: List[Path]) -> None:
    """Joins the scenes' rows into the 13 tables and lets the version folder appear."""
    tables = join_scenes(request.seed, [unsealed(json.loads(path.read_text())) for path in fragments])
    _write_maps(request.out, tables)
    hidden = request.state / 'tables'
    shutil.rmtree(hidden, ignore_errors=True)
    for name in TABLES:
        write_json(hidden / f'{name}.json', tables[name], indent=0)
    write_sums(hidden, [f'{name}.json' for name in TABLES])
    write_json(request.state / FINISHED, _digests(hidden))
    os.replace(hidden, request.out / request.version)


def _differs(request: Request, arguments: Dict[str, Any]) -> bool:
    recorded = request.state / ARGUMENTS
    return recorded.exists() and _read_state(recorded) != {**arguments, 'code': _code_digest()}


def generate(request: Request) -> bool:
    """Writes a dataset, or continues one.

    Args:
        request: where and what.

    Returns:
        False where the dataset was complete already.

    Raises:
        UserError: for arguments that do not fit each other or the folder, a disk that is full, a
            worker that was killed.
    """
    names = choose_scenes(request.version, request.scenes)
    arguments = request.arguments(names)
    if request.replace and _differs(request, arguments):
        _remove_own_version(request)
    _check(request, arguments)
    fragments = [request.state / f'{name}.json' for name in names]
    alone = locked_folder(request.state, who='another run', advice='wait for it, or choose another --out')
    with alone, _mistakes_of_the_machine(request.out):
        is_new = not (request.out / request.version).exists()
        if is_new:
            write_json(request.state / ARGUMENTS, {**arguments, 'code': _code_digest()})
            jobs = {path: SceneJob(request.seed, name, request.samples_per_scene,
                                   request.all_sweeps, request.version != 'v1.0-test')
                    for name, path in zip(names, fragments) if not path.exists()}
            for _ in map_with_progress(_run_scene, list(jobs.items()), shared=request.out,
                                       workers=request.workers, description=f'scenes of {request.version}'):
                pass
            _publish(request, fragments)
        _write_expansions(request)
        for path in fragments:
            path.unlink(missing_ok=True)
    return is_new
