"""Stage two: a fuser, and all that follows it, learn from stored maps and are scored under every condition.

Runs of one seed share the encoders, the order of the samples, which sensors are absent in each, and how
everything behind the fuser begins.
"""
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from torch.nn import functional

from geminifusion3d.detector import GeminiFusion3D
from geminifusion3d.engine.seed_hook import seed_everything
from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.results.nuscenes_boxes import GlobalBoxes, to_global_boxes

from .encoders import StoredMaps, read_boxes
from .scoring import Truth, match_boxes, mean_average_precision, resampled

# Streams of random numbers of one seed.
MODEL, SAMPLES, SHIFTS = 1, 2, 3
EVALUATED_TOGETHER = 8
# What a recipe may put between the aligned maps and the BEV backbone.
FUSING = ('offset_field.', 'cell_encoding.', 'gate.', 'fuser.')
# What stage two leaves as it is.
ENCODING = ('_branch.', '_align.project.')


def build_pair(config: Mapping[str, Any], reference: Mapping[str, Any], *, seed: int) -> GeminiFusion3D:
    """Returns a model that begins as the reference does in all but its fuser.

    Args:
        config: of the model.
        reference: of the model whose numbers are taken wherever names and shapes agree.
        seed: of the initialisation.
    """
    init_default_scope('mmdet3d')
    models = []
    for one in (reference, config):
        seed_everything(seed, MODEL)
        models.append(MODELS.build(dict(one)))
        models[-1].init_weights()
    own = learned_state(models[1])
    shared = {name: values for name, values in learned_state(models[0]).items()
              if not name.startswith(FUSING) and name in own and own[name].shape == values.shape}
    models[1].load_state_dict(shared, strict=False)
    return models[1]


def learned_state(model: GeminiFusion3D) -> Dict[str, Tensor]:
    """Returns the numbers of a model without its encoders, which stage two does not change."""
    return {name: values for name, values in model.state_dict().items()
            if not any(part in name for part in ENCODING)}


def fused_maps(model: GeminiFusion3D, maps: Sequence[Float[Tensor, 'b c y x']],
               is_present: Bool[Tensor, 'b n']) -> Tuple[List[Tensor], Dict[str, Tensor]]:
    """Returns what the head reads, and the fuser's losses; stand-ins take the place of absent maps.

    Args:
        model: the detector.
        maps: aligned, in the order of its sensors; on any device.
        is_present: of each sample and map.
    """
    device = next(model.parameters()).device
    maps, is_present = [bev.to(device) for bev in maps], is_present.to(device)
    shown = [torch.where(is_present[:, place].view(-1, 1, 1, 1), bev,
                         model.parts_of(sensor)[1].stand_in.view(1, -1, 1, 1))
             for place, (sensor, bev) in enumerate(zip(model.sensors, maps))]
    fused = model.fuse(shown, is_present)
    return model.head_maps(fused.bev), fused.losses


def draw_presence(number: int, absent_prob: float, rng: np.random.Generator) -> Bool[Tensor, 'b 2']:
    """Returns which sensors each sample shows: never none.

    Args:
        number: of samples.
        absent_prob: of each sensor; below 0.5.
        rng: is drawn from once per sample, whatever the probability.
    """
    event = torch.from_numpy(rng.random(number))
    return torch.stack([event >= absent_prob, event < 1 - absent_prob], dim=1)


def train(model: GeminiFusion3D, folder: Path, *, seed: int, steps: int, batch_size: int, lr: float,
          absent_prob: float, spared: float = 0.0, shift_cells: int = 0) -> List[float]:
    """Trains what follows the encoders; returns the loss of every step.

    Args:
        model: the detector.
        folder: of the stored training maps.
        seed: of the order of the samples and of the absent sensors.
        steps: how many.
        batch_size: samples of a step.
        lr: the highest learning rate of one cycle.
        absent_prob: see `draw_presence`.
        spared: share of the steps without absent sensors; behind it they rise to `absent_prob` over a third.
        shift_cells: the first map is shifted by up to so many cells along x and y.
    """
    device = next(model.parameters()).device
    maps, boxes = StoredMaps(folder), [of_sample.to(device) for of_sample in read_boxes(folder)]
    rng, shifts = np.random.default_rng((seed, SAMPLES)), np.random.default_rng((seed, SHIFTS))
    passes = -(-steps * batch_size // len(maps))
    order = np.concatenate([rng.permutation(len(maps)) for _ in range(passes)])
    weights = [values for name, values in model.named_parameters()
               if not any(part in name for part in ENCODING)]
    optimizer = torch.optim.AdamW(weights, lr=lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=0.3)
    model.train()
    losses = []
    for step in range(steps):
        seed_everything(seed, SAMPLES, step)
        indices = order[step * batch_size:(step + 1) * batch_size]
        share = float(np.clip(3 * (step / steps - spared), 0, 1)) if spared else 1.0
        is_present = draw_presence(len(indices), absent_prob * share, rng)
        camera, *others = maps.batch(indices)
        if shift_cells:
            # Padding below zero cuts: what moves out is lost, nothing comes in.
            camera = torch.stack([functional.pad(bev, (x, -x, y, -y)) for bev, (x, y) in zip(
                camera, shifts.integers(-shift_cells, shift_cells + 1, (len(camera), 2)).tolist())])
        features, fuser_losses = fused_maps(model, [camera, *others], is_present)
        samples = [_sample(boxes[index]) for index in indices]
        loss, _ = model.parse_losses({**model.bbox_head.loss(features, samples), **fuser_losses})
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 35)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return losses


def _sample(boxes: Any = None) -> Det3DDataSample:
    sample = Det3DDataSample(metainfo=dict(box_type_3d=LiDARInstance3DBoxes))
    if boxes is not None:
        sample.gt_instances_3d = boxes
    return sample


@torch.inference_mode()
def predict(model: GeminiFusion3D, maps: StoredMaps, truth: Truth) -> List[GlobalBoxes]:
    """Returns the boxes of every sample of a split under a condition, as a submission would hold them.

    Args:
        model: trained.
        maps: of the split, as the condition leaves them.
        truth: of the split.
    """
    model.eval()
    found: List[GlobalBoxes] = []
    for start in range(0, len(maps), EVALUATED_TOGETHER):
        indices = range(start, min(start + EVALUATED_TOGETHER, len(maps)))
        is_present = torch.tensor([not absent for absent in maps.absent]).expand(len(indices), -1)
        features, _ = fused_maps(model, maps.batch(indices), is_present)
        predicted = model.bbox_head.predict(features, [_sample() for _ in indices])
        found += [to_global_boxes(boxes=boxes.bboxes_3d, scores=boxes.scores_3d, labels=boxes.labels_3d,
                                  class_names=CLASS_NAMES, frame=truth.infos.frames[index])
                  for index, boxes in zip(indices, predicted)]
    return found


def score(model: GeminiFusion3D, folder: Path, truth: Truth, condition: str, resamples: int
          ) -> Dict[str, Any]:
    """Returns the mAP under a condition, and that of resampled scenes.

    Args:
        model: trained.
        folder: of the split's stored maps.
        truth: of the split.
        condition: a name of CONDITIONS.
        resamples: how many resamples of the scenes.
    """
    matches = match_boxes(truth, predict(model, StoredMaps(folder, condition), truth))
    every_scene = np.ones(int(truth.scene_of_sample.max()) + 1)
    return dict(mAP=mean_average_precision(matches, every_scene),
                resampled=[round(value, 4) for value in resampled(matches, resamples)])
