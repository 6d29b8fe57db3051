"""Batch norm for voxels: a cloud may leave one voxel, or none, and a training must not end there."""
from jaxtyping import Float
from mmdet3d.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional as F


@MODELS.register_module(name='GeminiVoxelNorm')
class FewRowsNorm(nn.BatchNorm1d):
    """The usual BatchNorm1d, except that fewer than two rows are normalised by the running statistics.

    One row has no variance: torch refuses it in training. Its statistics would also count as much as
    those of a full batch.
    """

    def forward(self, features: Float[Tensor, 'm c']) -> Float[Tensor, 'm c']:
        """Returns the normalised rows.

        Args:
            features: any number of rows, also none.
        """
        if len(features) > 1 or not self.training:
            return super().forward(features)
        return F.batch_norm(features, self.running_mean, self.running_var, self.weight, self.bias,
                            training=False, eps=self.eps)
