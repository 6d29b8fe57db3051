"""Pictures that are corrupted right after they are read: the delta to GeminiLoadImages."""
from typing import Any, Dict, Sequence

from mmdet3d.registry import TRANSFORMS

from geminifusion3d.nuscenes_facts import CAMERA_NAMES
from geminifusion3d.sensors.load_images import GeminiLoadImages

from .catalogue import find_corruption
from .strength import at, generator_of


@TRANSFORMS.register_module()
class GeminiLoadCorruptedImages(GeminiLoadImages):
    """Loads the images of all cameras and corrupts each on its own; one that is missing stays black.

    Args:
        corruption: a name of the catalogue.
        severity: 1, 2 or 3.
        camera_names: as in GeminiLoadImages.
        reduce: as in GeminiLoadImages.
        missing: as in GeminiLoadImages.
    """

    def __init__(self, *, corruption: str, severity: int, camera_names: Sequence[str] = CAMERA_NAMES,
                 reduce: int = 1, missing: str = 'error') -> None:
        super().__init__(camera_names=camera_names, reduce=reduce, missing=missing)
        self.name, self.corruption = corruption, find_corruption(corruption)
        self.severity = at(severity, (1, 2, 3))

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Loads and corrupts the images with the draws of (token, corruption, camera).

        Args:
            results: as in GeminiLoadImages, and `token`.
        """
        token = results['token']
        if self.corruption.camera_files is not None:
            rng = generator_of(token, self.name, 'cameras')
            results = self.corruption.camera_files(results, self.severity, rng)
        loaded = super().transform(results)
        if self.corruption.image is None:
            return loaded
        images = [self.corruption.image(image, self.severity, generator_of(token, self.name, name))
                  if is_present else image
                  for image, name, is_present in zip(loaded['img'], self.camera_names,
                                                     loaded['camera_present'])]
        return {**loaded, 'img': images}
