"""The models of the comparison and one training of each as files: its folder, its identity, its result."""
import ast
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from geminifusion3d.errors import UserError

from ..jobs import PACKAGE, Results, identity

CONFIG_FOLDER = Path('configs') / 'compare'
# Compared on request only: a step takes six times as long as those of the others.
COSTLY = ('full-attention',)
RESULT_FILE, LOG_FILE, TRAINING_FOLDER = 'results.json', 'run.log', 'training'
RESULT = 'result'


@dataclass(frozen=True)
class Variant:
    """One model of the comparison: a recipe of its folder.

    Attributes:
        config: its recipe, seen from the repository's root.
    """

    config: Path

    @property
    def sensors(self) -> str:
        """'cam', 'lidar', 'lidar-cam' or 'lidar-cam-radar'."""
        return self.config.stem.split('_')[1]

    @property
    def name(self) -> str:
        """A word for the command line, files and folders: what the recipe's name adds to the others'."""
        inner = self.config.stem.removeprefix('geminifusion3d_').removesuffix('_compare')
        return inner.removeprefix('lidar-cam_')

    @property
    def label(self) -> str:
        """How the table calls it: the first sentence of the recipe, up to a colon or semicolon."""
        text = ast.get_docstring(ast.parse(self.config.read_text())) or self.name
        first = re.sub(r"^The comparison(: |'s )", '', text.split('\n\n')[0]).replace('\n', ' ')
        return re.split('[:;]', first)[0].rstrip('.')


def all_variants(folder: Path = CONFIG_FOLDER) -> List[Variant]:
    """Returns the models whose recipes lie in a folder, those of one sensor first."""
    found = [Variant(path) for path in sorted(folder.glob('*.py'))]
    return sorted(found, key=lambda variant: ('-' in variant.sensors, variant.name))


def choose(names: Sequence[str]) -> List[Variant]:
    """Returns the named models in the table's order; where none is named, all but the costly ones."""
    variants = all_variants()
    known = [variant.name for variant in variants]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise UserError(f'no model of the comparison is called {", ".join(unknown)}; expected some of '
                        f'{", ".join(known)}')
    return [variant for variant in variants
            if variant.name in names or not names and variant.name not in COSTLY]


@dataclass(frozen=True)
class Run:
    """One model with one seed.

    Attributes:
        variant: the model.
        seed: of everything random.
        work_dir: of the whole comparison.
        identity: what the result depends on: recipe, seed, data and code, see `jobs.identity`.
    """

    variant: Variant
    seed: int
    work_dir: Path
    identity: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """Where everything of this run lies."""
        return self.work_dir / self.variant.name / f'seed{self.seed}'

    @property
    def name(self) -> str:
        """How messages call it."""
        return f'{self.variant.name} seed {self.seed}'

    def results(self, ignored: Sequence[str] = ()) -> Results:
        """Returns what is there and belongs to this identity."""
        return Results(self.folder / RESULT_FILE, dict(self.identity), restart=True, ignored=ignored)

    def result(self, ignored: Sequence[str] = ()) -> Optional[Dict[str, Any]]:
        """Returns what the run found; None where it is not done, or is one of something else."""
        return self.results(ignored).parts.get(RESULT)

    def is_of_something_else(self) -> bool:
        """Returns whether what lies there belongs to another recipe, seed, data or code."""
        return (self.folder / RESULT_FILE).is_file() and self.results().is_fresh

    def finish(self, result: Mapping[str, Any]) -> None:
        """Keeps what the run found."""
        results = self.results()
        results.keep(RESULT, dict(result, variant=self.variant.name, seed=self.seed,
                                  identity=results.identity))

    def prepare(self) -> Results:
        """Makes the folder; what a run of something else left there goes, an unfinished one stays."""
        results = self.results()
        if results.is_fresh:
            shutil.rmtree(self.folder, ignore_errors=True)
            results.keep('seed', self.seed)
        return results


def make_run(variant: Variant, seed: int, work_dir: Path) -> Run:
    """Returns a run with the identity that its recipe, its data and the code give it now."""
    from mmengine.config import Config
    cfg = Config.fromfile(variant.config)
    dataset = cfg.train_dataloader.dataset
    infos = [Path(dataset.data_root) / name
             for name in (dataset.ann_file, cfg.test_dataloader.dataset.ann_file)]
    return Run(variant, seed, work_dir, identity(config=cfg.to_dict(), seed=seed, data=infos, code=PACKAGE))


def read_list(path: Path) -> Dict[str, Any]:
    """Returns the list of runs of a page, with what stands beside them; no runs where there is no file."""
    if not path.is_file():
        return dict(runs=[])
    try:
        listed: Dict[str, Any] = json.loads(path.read_text())
        if all(result['variant'] and result['seed'] >= 0 for result in listed['runs']):
            return listed
        raise ValueError('a run without a model')
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f'{path} is no list of runs ({error}); restore or remove it: then only the runs of '
                        'the work directory count') from None


def runs_in(work_dir: Path) -> List[Tuple[str, int]]:
    """Returns model and seed of the runs that have left something in a folder, in order."""
    return sorted((path.parent.parent.name, int(path.parent.name[4:]))
                  for path in work_dir.glob(f'*/seed*/{RESULT_FILE}'))


def size_of(dataset: Any) -> Dict[str, int]:
    """Returns how many keyframes and scenes the info file of a recipe's dataset holds."""
    from geminifusion3d.info_file import open_info_file
    frames = list(open_info_file(Path(dataset.data_root) / dataset.ann_file))
    return dict(keyframes=len(frames), scenes=len({frame['scene_token'] for frame in frames}))


def adopt(runs: Sequence[Run], listed: Sequence[Mapping[str, Any]]) -> None:
    """Takes over the results of a list, such as docs/compare.json, that are of the very same runs."""
    for run in runs:
        same = [result for result in listed if result.get('identity') == run.identity]
        if same and run.result() is None:
            run.prepare()
            run.finish(same[0])
