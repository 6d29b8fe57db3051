"""What the experiment does, as settings, and its runs: encoders once per group, then fuser x seed."""
import math
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any, Dict, Optional, Sequence, Tuple

from mmengine.config import Config

from geminifusion3d.engine.config_file import load_config

from ..compare.runs import Run, Variant
from ..jobs import PACKAGE, Results, identity
from .conditions import CLEAN, CONDITIONS
from .fusers import FUSERS

HERE = Path(__file__).parent
# The modules of this folder that a result depends on.
DECIDING = ('conditions', 'encoders', 'scoring', 'trial')
ENCODERS, MAPS_FOLDER, WEIGHTS_FILE = 'encoders', 'maps', 'model.pth'
TRAIN, TUNE, REPORT = 'train', 'tune', 'report'
# Beside the clean score: the mean over all other conditions.
MEAN = 'mean'


@dataclass(frozen=True)
class Plan:
    """Everything that decides a result, beside code and data.

    Attributes:
        recipe: the detector, and how its encoders learn.
        learn_root: the world to train on; its other split is the world to tune on.
        report_root: the world to report on; its larger split is scored, and nothing learns from it.
        reach_m: the grid covers so much to every side; smaller than the recipe's, for more seeds.
        seeds_per_group: how many seeds share encoders, one after the other.
        epochs: of stage one.
        copies: augmented copies of each training keyframe that are stored.
        steps: of stage two.
        batch_size: of stage two.
        lr: highest learning rate of stage two.
        absent_prob: of each sensor, in the training of stage two.
        conditions: that are scored.
        resamples: of the scenes of the report's world.
    """

    recipe: str = 'configs/compare/geminifusion3d_lidar-cam_add_compare.py'
    learn_root: str = 'data/compare'
    report_root: str = 'data/decide'
    reach_m: float = 30.0
    seeds_per_group: int = 8
    epochs: int = 6
    copies: int = 3
    steps: int = 250
    batch_size: int = 4
    lr: float = 3e-3
    absent_prob: float = 0.2
    conditions: Tuple[str, ...] = tuple(CONDITIONS)
    resamples: int = 50

    def group_of(self, name: str, seed: int) -> int:
        """Returns which encoders a run trains or uses.

        Args:
            name: ENCODERS, or a fuser.
            seed: of the run.
        """
        return seed if name == ENCODERS else seed // self.seeds_per_group

    # Some tenth of a second each, and asked for in every run.
    @lru_cache(maxsize=None)
    def of_world(self, world: str, recipe: str = '') -> Config:
        """Returns a recipe on a world, whose test data are what is scored there; not to be changed.

        Args:
            world: TRAIN, TUNE or REPORT.
            recipe: where it is another than that of the encoders.
        """
        root, recipe = self.report_root if world == REPORT else self.learn_root, recipe or self.recipe
        grid = load_config(recipe).bev_grid
        range_m = [math.copysign(self.reach_m, edge_m) if axis != 2 else edge_m
                   for axis, edge_m in zip((0, 1, 2, 0, 1, 2), grid.range_m)]
        cfg = load_config(recipe, dict(
            data_root=root, max_epochs=self.epochs, bev_grid=dict(grid, range_m=range_m)))
        if world == REPORT:
            cfg.test_dataloader.dataset.ann_file = cfg.train_dataloader.dataset.ann_file
        return cfg


@dataclass(frozen=True)
class Contestant(Variant):
    """What a run is of: the encoders, or a fuser of the table.

    Attributes:
        called: its name.
    """

    called: str

    @property
    def name(self) -> str:
        """A word for files and folders."""
        return self.called


@dataclass(frozen=True)
class Job(Run):
    """A run of the experiment.

    Attributes:
        plan: the settings.
        any_code: results that earlier code made count too.
    """

    plan: Plan
    any_code: bool = False

    def results(self, ignored: Sequence[str] = ()) -> Results:
        """Returns what is there and belongs to this identity, of earlier code too where that counts."""
        return super().results(('code', *ignored) if self.any_code else ignored)

    def result(self, ignored: Sequence[str] = ()) -> Optional[Dict[str, Any]]:
        """Returns what the run found; None where it is not done, some condition is missing, or all is of
        something else."""
        found = super().result(ignored)
        return found if found and set(found['conditions']) >= set(self.plan.conditions) else None

    @property
    def encoders(self) -> Path:
        """Returns the folder of the encoders that this run uses."""
        return self.work_dir / ENCODERS / f'seed{self.plan.group_of(self.variant.name, self.seed)}'


def make_job(name: str, seed: int, plan: Plan, work_dir: Path, any_code: bool = False) -> Job:
    """Returns a run with the identity that plan, data and code give it now.

    Args:
        name: ENCODERS, or a key of FUSERS.
        seed: of everything random; of encoders, the group.
        plan: the settings.
        work_dir: of the whole experiment.
        any_code: results that earlier code made count too.
    """
    cfgs = {world: plan.of_world(world) for world in (TRAIN, REPORT)}
    data = [Path(cfg.data_root) / cfg[f'{split}_dataloader'].dataset.ann_file
            for cfg, split in ((cfgs[TRAIN], 'train'), (cfgs[TRAIN], 'test'), (cfgs[REPORT], 'test'))]
    parts: Dict[str, Any] = dict(
        encoders={world: cfg.to_dict() for world, cfg in cfgs.items()}, copies=plan.copies,
        group=plan.group_of(name, seed), data=data,
        code=[PACKAGE, HERE.parent / 'corruptions', *(HERE / f'{module}.py' for module in DECIDING)])
    if name != ENCODERS:
        settings = {key: value for key, value in asdict(plan).items() if key != 'conditions'}
        fuser = FUSERS[name]
        parts.update(fuser=plan.of_world(TRAIN, str(fuser.variant.config)).model.to_dict(),
                     noise=[fuser.with_dropout, fuser.spared, fuser.shift_cells], plan=settings, seed=seed)
    return Job(Contestant(Path(plan.recipe), name), seed, work_dir, identity(**parts), plan, any_code)


def produce(job: Job) -> Dict[str, Any]:
    """Returns the result of a run.

    Args:
        job: what to do.
    """
    return store_maps(job) if job.variant.name == ENCODERS else run_trial(job)


def store_maps(job: Job) -> Dict[str, Any]:
    """Trains the encoders of a group and stores the maps; returns what was stored.

    Args:
        job: of ENCODERS.
    """
    from . import encoders
    start_s, plan = time.process_time(), job.plan
    cfgs = {world: plan.of_world(world) for world in (TRAIN, TUNE, REPORT)}
    model = encoders.train_encoders(cfgs[TRAIN], job.seed, job.folder / encoders.TRAINING_FOLDER)
    folder = job.folder / MAPS_FOLDER
    if not (folder / TRAIN / encoders.BOXES_FILE).is_file():
        encoders.store_training(model, cfgs[TRAIN], folder / TRAIN, copies=plan.copies)
    for world in (TUNE, REPORT):
        encoders.store_split(model, cfgs[world], folder / world, [CLEAN, *plan.conditions])
    return dict(conditions=list(plan.conditions), cpu_s=time.process_time() - start_s)


def run_trial(job: Job) -> Dict[str, Any]:
    """Trains a fuser and what follows it, then scores it on both worlds.

    Args:
        job: of a fuser.
    """
    import torch
    from mmengine.device import get_device

    from . import scoring, trial
    torch.set_num_threads(1)
    plan, fuser, start_s = job.plan, FUSERS[job.variant.name], time.process_time()
    model = trial.build_pair(plan.of_world(TRAIN, str(fuser.variant.config)).model,
                             plan.of_world(TRAIN).model, seed=job.seed).to(get_device())
    results, folder, weights = job.results(), job.encoders / MAPS_FOLDER, job.folder / WEIGHTS_FILE

    def train() -> Dict[str, float]:
        losses = trial.train(
            model, folder / TRAIN, seed=job.seed, steps=plan.steps, batch_size=plan.batch_size, lr=plan.lr,
            absent_prob=plan.absent_prob if fuser.with_dropout else 0.0, spared=fuser.spared,
            shift_cells=fuser.shift_cells)
        torch.save(trial.learned_state(model), weights)
        tenth = max(1, len(losses) // 10)
        parts = dict(first=losses[:tenth], before_last=losses[-2 * tenth:-tenth], last=losses[-tenth:])
        return {f'loss_{part}': fmean(some) for part, some in parts.items() if some}

    trained = results.once('trained', train)
    model.load_state_dict(torch.load(weights, map_location='cpu', weights_only=True), strict=False)
    scores: Dict[str, Dict[str, Any]] = {}
    for world, resamples in ((TUNE, 0), (REPORT, plan.resamples)):
        cfg = plan.of_world(world)
        open_conditions = [one for one in plan.conditions if f'{world} {one}' not in results.parts]
        if open_conditions:
            truth = scoring.load_truth(Path(cfg.data_root), cfg.test_dataloader.dataset.ann_file)
            for one in open_conditions:
                results.keep(f'{world} {one}', trial.score(model, folder / world, truth, one, resamples))
        scores[world] = {one: results.parts[f'{world} {one}'] for one in plan.conditions}
    return dict(conditions=list(plan.conditions), group=plan.group_of(job.variant.name, job.seed), **trained,
                scores={world: {one: found['mAP'] for one, found in of_world.items()}
                        for world, of_world in scores.items()},
                resampled={CLEAN: scores[REPORT][CLEAN]['resampled'], MEAN: [
                    round(sum(values) / len(values), 4) for values in zip(*(
                        found['resampled'] for one, found in scores[REPORT].items() if one != CLEAN))]},
                fuser_parameters=sum(values.numel() for name, values in model.named_parameters()
                                     if name.startswith(trial.FUSING)),
                cpu_s=time.process_time() - start_s)
