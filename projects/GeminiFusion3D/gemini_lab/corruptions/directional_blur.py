"""A smear along one direction with a tail that fades like half a Gaussian; of motion and falling snow."""
import cv2
import numpy as np
from jaxtyping import Float


def directional_blur(picture: Float[np.ndarray, 'h w *c'], *, radius_px: int, sigma_px: float,
                     angle_deg: float, scale: float) -> Float[np.ndarray, 'h w *c']:
    """Returns the weighted mean of the picture and its shifted copies; the border is continued.

    Args:
        picture: what to smear.
        radius_px: half the number of shifts, in published pixels.
        sigma_px: of the weights over the shifts 0, 1, 2, ..., in published pixels.
        angle_deg: direction of the smear in the picture.
        scale: pixels of this picture to a published one.
    """
    steps = np.arange(2 * radius_px + 1)
    weights = np.exp(-steps ** 2 / (2 * sigma_px ** 2))
    angle = np.deg2rad(angle_deg)
    columns = np.rint(steps * scale * np.cos(angle)).astype(int)
    rows = np.rint(steps * scale * np.sin(angle)).astype(int)
    reach = int(max(abs(columns).max(), abs(rows).max()))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), dtype=np.float32)
    np.add.at(kernel, (reach + rows, reach + columns), weights / weights.sum())
    return cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REPLICATE)
