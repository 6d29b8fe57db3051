"""GeminiFusion of each point's feature with what the picture shows where the point falls on it.

Source: official KITTI branch, class Gemini_PointFusion of point_fusion.py (at 8456609), on mmdet3d 1.4.0's
PointFusion. There the sum of the two features becomes GeminiFusion, with its weighted sum and ReLU at the
end. It starts as it does there when the official recipe trains: the layer's Xavier initialisation is never
called, since the voxel encoder around it is no BaseModule, neither there nor here.
"""
from typing import Any, Dict, List, Sequence

from jaxtyping import Float
from mmdet3d.models.layers.fusion_layers import PointFusion
from mmdet3d.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional as F

from ..fusion import GeminiFusion


@MODELS.register_module()
class GeminiPointFusion(PointFusion):
    """mmdet3d's PointFusion with GeminiFusion in place of the sum; linear in the number of points.

    Args:
        *args: as of PointFusion.
        heads: attention heads; must divide `out_channels`.
        **kwargs: as of PointFusion.
    """

    def __init__(self, *args: Any, heads: int = 8, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fuser = GeminiFusion(channels=self.pts_transform[0].out_features, heads=heads,
                                  activation='relu' if self.activate_out else 'none')
        for layer in self.fuser.layers:
            for attention in (layer.camera_attention, layer.lidar_attention):
                for projection in (attention.q_proj, attention.k_proj, attention.v_proj):
                    # Thirds of one (3C, C) matrix there: fan_in + fan_out is 4 C, not 2 C.
                    nn.init.xavier_uniform_(projection.weight, gain=0.5 ** 0.5)

    def forward(self, img_feats: Sequence[Float[Tensor, 'b _ _ _']], pts: Sequence[Float[Tensor, '_ _']],
                pts_feats: Float[Tensor, 'p c_in'], img_metas: List[Dict[str, Any]]
                ) -> Float[Tensor, 'p c_out']:
        """Return the fused features of all points of the batch.

        Args:
            img_feats: the image neck's levels.
            pts: per sample its points, x, y, z in metres first.
            pts_feats: features of all points, sample after sample.
            img_metas: per sample how picture and points were projected and augmented.
        """
        image = self.img_transform(self.obtain_mlvl_feats(img_feats, pts, img_metas))
        image = F.dropout(image, self.dropout_ratio, training=self.training)
        fused = self.fuser(image.unsqueeze(0), self.pts_transform(pts_feats).unsqueeze(0)).squeeze(0)
        return self.fuse_conv(fused) if self.fuse_out else fused
