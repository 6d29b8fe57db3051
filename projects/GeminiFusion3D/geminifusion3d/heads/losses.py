"""mmdet's losses with unknown targets and without a compiled operator; what settings of a head must fit."""
from typing import Optional, Sequence, Union

from jaxtyping import Float, Int
from mmdet3d.registry import MODELS
from mmdet.models.losses import L1Loss, l1_loss
from torch import Tensor, nn
from torch.nn import functional as F

from ..nuscenes_facts import MAX_BOXES_PER_SAMPLE


@MODELS.register_module()
class GeminiMaskedL1Loss(L1Loss):
    """mmdet's L1Loss, except that a NaN target costs nothing and has no gradient.

    A velocity that nuScenes does not know is NaN. mmdet multiplies its loss by a weight of zero, and zero
    times NaN is NaN. Nor is the device asked whether any weight is above zero: the sum is 0 then anyway.
    """

    def forward(self, pred: Float[Tensor, ' *n'], target: Float[Tensor, ' *n'],
                weight: Optional[Float[Tensor, ' *n']] = None,
                avg_factor: Union[Tensor, float, None] = None) -> Float[Tensor, '']:
        """Returns the loss.

        Args:
            pred: predictions.
            target: targets, NaN where unknown.
            weight: of each number.
            avg_factor: what the sum is divided by.
        """
        known = target.where(~target.isnan(), pred.detach())
        return self.loss_weight * l1_loss(pred, known, weight, reduction=self.reduction,
                                          avg_factor=avg_factor)


class OneHotLoss(nn.Module):
    """Turns class indices into one-hot rows, for which mmdet's FocalLoss calls no compiled operator on a GPU.

    Args:
        loss: a FocalLoss.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, logits: Float[Tensor, 'n k'], classes: Int[Tensor, ' n'],
                weights: Float[Tensor, ' n'], avg_factor: float) -> Float[Tensor, '']:
        """Returns the loss.

        Args:
            logits: one column per class.
            classes: index of the class, k for background.
            weights: of the rows.
            avg_factor: what the sum is divided by.
        """
        one_hot = F.one_hot(classes, logits.shape[1] + 1)[:, :-1]
        return self.loss(logits, one_hot, weights, avg_factor=avg_factor)


def check_limits(code_weights: Sequence[float], code_size: int, most_boxes: int, why: str) -> None:
    """Refuses settings of a head that do not fit a box code, or may lead to more boxes than nuScenes allows.

    Args:
        code_weights: of the loss.
        code_size: how many numbers the head regresses.
        most_boxes: of a sample.
        why: the settings that say so.

    Raises:
        ValueError: with what was got and expected.
    """
    if len(code_weights) != code_size:
        raise ValueError(f'code_weights needs {code_size} numbers, got {len(code_weights)}')
    if most_boxes > MAX_BOXES_PER_SAMPLE:
        raise ValueError(f'nuScenes allows {MAX_BOXES_PER_SAMPLE} boxes per sample, got {why}; lower it')
