"""L1 loss that skips unknown targets: a velocity that nuScenes does not know is NaN."""
from typing import Optional, Union

from mmdet3d.registry import MODELS
from mmdet.models.losses import L1Loss
from torch import Tensor


@MODELS.register_module()
class GeminiMaskedL1Loss(L1Loss):
    """The host's L1Loss, except that a NaN target costs nothing and has no gradient.

    The host weighs such a target by zero, and zero times NaN is NaN.
    """

    def forward(self, pred: Tensor, target: Tensor, weight: Optional[Tensor] = None,
                avg_factor: Union[Tensor, float, None] = None) -> Tensor:
        """Returns the loss; shapes as in L1Loss."""
        return super().forward(pred, target.where(~target.isnan(), pred.detach()), weight,
                               avg_factor=avg_factor)
