"""One evaluation of a recipe in this process: the official scores, files in a folder of its own."""
import copy
import gc
from pathlib import Path

from mmengine.config import Config

from geminifusion3d.engine.runner import GeminiRunner
from geminifusion3d.errors import UserError
from .conditions import METRICS, Scores


def evaluate(cfg: Config, folder: Path) -> Scores:
    """Returns mAP and NDS.

    Args:
        cfg: the recipe, with the checkpoint in `load_from`; left as it is.
        folder: for logs, predictions and the devkit's summary.

    Raises:
        UserError: if the split cannot be scored.
    """
    metrics = build_runner(cfg, folder).test()
    # The runner's loading workers end with it, and it is part of a cycle.
    gc.collect()
    by_name = {key.rsplit('/', 1)[-1]: value for key, value in metrics.items()}
    if not all(metric in by_name for metric in METRICS):
        raise UserError(f'the evaluation gave {", ".join(by_name) or "no metric"}, expected '
                        f'{" and ".join(METRICS)}: a split without annotations cannot be scored')
    return {metric: float(by_name[metric]) for metric in METRICS}


def build_runner(cfg: Config, folder: Path) -> GeminiRunner:
    """Returns a runner whose files go to a folder; several may live in one process.

    Args:
        cfg: the recipe; left as it is.
        folder: for logs and results.
    """
    cfg = copy.deepcopy(cfg)
    cfg.work_dir, cfg.experiment_name = str(folder), f'{folder.parent.name}_{folder.name}'
    return GeminiRunner.from_cfg(cfg)
