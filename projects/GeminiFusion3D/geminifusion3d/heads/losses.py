"""mmdet's losses with two additions: unknown targets, and class indices without a compiled operator."""
from typing import Optional, Union

from jaxtyping import Float, Int
from mmdet3d.registry import MODELS
from mmdet.models.losses import L1Loss, l1_loss
from torch import Tensor, nn
from torch.nn import functional as F


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
