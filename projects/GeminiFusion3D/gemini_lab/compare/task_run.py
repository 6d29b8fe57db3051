"""What one process of `compare-tasks` does: train with the given budget, then test."""
import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from mmengine.config import Config

from geminifusion3d.engine.config_file import apply_seed, load_config
from geminifusion3d.results.run_record import hardware

from ..jobs import PACKAGE, identity
from ..robustness.changed_recipe import RADAR, read_sensors, with_silent_radar
from .runs import Run, Variant
from .train_and_score import runner_of_test, train, work_on

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


@dataclass(frozen=True)
class Recipe(Variant):
    """A recipe, called by its whole name."""

    @property
    def name(self) -> str:
        """The file's name."""
        return self.config.stem


@dataclass(frozen=True)
class Training(Run):
    """A run with values of the recipe replaced.

    Attributes:
        overrides: by dotted key, as `--cfg-options`.
    """

    overrides: Mapping[str, Any]

    def recipe(self) -> Config:
        """Returns the recipe, all in this process."""
        cfg = load_config(str(self.variant.config), self.overrides)
        for loader in LOADERS:
            cfg[loader].update(num_workers=0, persistent_workers=False)
        apply_seed(cfg, self.seed)
        return cfg


def make_training(config: Path, seed: int, work_dir: Path, overrides: Mapping[str, Any]) -> Training:
    """Returns a run with the identity that recipe, budget, data and code give it now.

    Args:
        config: the recipe.
        seed: of everything random.
        work_dir: of the whole comparison.
        overrides: values that are replaced.
    """
    bare = Training(Recipe(config), seed, work_dir, {}, overrides)
    cfg = bare.recipe()
    infos = [Path(cfg.data_root) / cfg[loader].dataset.ann_file
             for loader in ('train_dataloader', 'test_dataloader')]
    return Training(bare.variant, seed, work_dir,
                    identity(config=cfg.to_dict(), seed=seed, data=infos, code=PACKAGE), overrides)


def work(run: Training, core: Optional[int]) -> None:
    """Runs in a process of its own.

    Args:
        run: what to do.
        core: the processor core to stay on; None leaves that to the system.
    """
    work_on(run, core, train_and_test)


def train_and_test(run: Training) -> Dict[str, Any]:
    """Returns the scores of a run by metric, its budget and its times.

    Args:
        run: what to do.
    """
    cfg, results = run.recipe(), run.results()
    times = results.once('times', lambda: train(cfg, run))
    scores = results.once('scores', lambda: _test(cfg, run, 'all'))
    if RADAR in read_sensors(cfg):
        silent = results.once('silent', lambda: _test(with_silent_radar(cfg), run, 'radar_silent'))
        scores = dict(scores, radar_delta=silent['mAP'] - scores['mAP'])
    return dict(scores=scores, processor=hardware()['cpu'], epochs=cfg.train_cfg.max_epochs,
                date=datetime.date.today().isoformat(),
                batch_size=cfg.train_dataloader.batch_size, **times)


def _test(cfg: Config, run: Training, name: str) -> Dict[str, float]:
    runner = runner_of_test(cfg, run, name)
    metrics = {key.rsplit('/', 1)[-1]: float(value) for key, value in runner.test().items()}
    return dict(metrics, samples=len(runner.test_dataloader.dataset))
