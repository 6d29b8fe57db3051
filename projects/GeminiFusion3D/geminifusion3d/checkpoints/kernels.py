"""How a kernel turns when its input is laid out otherwise.

This project's maps are (B, C, Y, X) and its voxels (z, y, x). mmdet3d's BEVFusion project has
(B, C, X, Y) and (x, y, z): the same network on a transposed map is the network with its kernels
transposed. Independent of that, a sparse kernel is stored (out, k, k, k, in) by spconv 2 and
(k, k, k, in, out) by mmcv and spconv 1.
"""
from torch import Tensor

from ..errors import UserError

# Sparse encoders have kernels of at most this side, and more channels than that.
LARGEST_SPARSE_KERNEL = 3
DENSE_DIMS, SPARSE_DIMS = 4, 5


def unchanged(weight: Tensor) -> Tensor:
    """Returns the weight as it is."""
    return weight


def yx_from_xy(weight: Tensor) -> Tensor:
    """Turns the kernel of a dense 2D (transposed) convolution; other weights pass unchanged.

    Args:
        weight: (out, in, k_x, k_y) becomes (out, in, k_y, k_x).
    """
    if weight.dim() != DENSE_DIMS:
        return weight
    return weight.transpose(2, 3).contiguous()


def spconv2_layout(weight: Tensor) -> Tensor:
    """Brings a sparse 3D kernel of either library to (out, k, k, k, in); others pass unchanged.

    Args:
        weight: of any layer.

    Raises:
        UserError: if the shape is of neither layout, or could be of both.
    """
    if weight.dim() != SPARSE_DIMS:
        return weight
    is_spconv2 = max(weight.shape[1:4]) <= LARGEST_SPARSE_KERNEL
    is_mmcv = max(weight.shape[:3]) <= LARGEST_SPARSE_KERNEL
    if is_spconv2 == is_mmcv:
        raise UserError(f'a sparse kernel of shape {tuple(weight.shape)} is neither clearly (out, k, k, k, '
                        f'in) of spconv 2 nor clearly (k, k, k, in, out) of mmcv, with k at most '
                        f'{LARGEST_SPARSE_KERNEL}: convert a checkpoint of another encoder by hand')
    return weight if is_spconv2 else mmcv_to_spconv2(weight)


def mmcv_to_spconv2(weight: Tensor) -> Tensor:
    """Moves the output channels of a (k, k, k, in, out) kernel to the front."""
    return weight.permute(4, 0, 1, 2, 3).contiguous()


def zyx_from_xyz(weight: Tensor) -> Tensor:
    """Turns a sparse 3D kernel of either layout; other weights pass unchanged.

    Args:
        weight: a kernel over (x, y, z) becomes (out, k_z, k_y, k_x, in).
    """
    if weight.dim() != SPARSE_DIMS:
        return weight
    return spconv2_layout(weight).permute(0, 3, 2, 1, 4).contiguous()
