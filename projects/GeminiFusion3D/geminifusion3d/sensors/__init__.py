"""First stage: sensor files -> images and points that agree, each augmentation as a matrix."""
from .augment_images import GeminiAugmentImages, GeminiFlipImages
from .augment_scene import GeminiAugmentScene
from .cached_loading import GeminiCachedLoading
from .cbgs_dataset import GeminiCBGSDataset
from .draws import GeminiEpochHook
from .drop_sensors import GeminiDropSensors, GeminiDropSensorsAtRandom
from .jitter_calibration import GeminiJitterCalibration
from .keyframe_dataset import GeminiNuScenesDataset, GeminiRecordDataset
from .load_cells import GeminiLoadCellFile, GeminiLoadMapCells
from .load_images import GeminiLoadImages
from .load_points import GeminiLoadPoints, GeminiPointsRangeFilter
from .load_radar import GeminiLoadRadar
from .object_database import GeminiSampleObjects
from .pack import GeminiPackInputs
from .visualizer import GeminiVisualizer

__all__ = ['GeminiAugmentImages', 'GeminiAugmentScene', 'GeminiCBGSDataset', 'GeminiCachedLoading',
           'GeminiDropSensors', 'GeminiDropSensorsAtRandom', 'GeminiEpochHook', 'GeminiFlipImages',
           'GeminiJitterCalibration', 'GeminiLoadCellFile', 'GeminiLoadImages', 'GeminiLoadMapCells',
           'GeminiLoadPoints', 'GeminiLoadRadar', 'GeminiNuScenesDataset', 'GeminiPackInputs',
           'GeminiPointsRangeFilter', 'GeminiRecordDataset', 'GeminiSampleObjects', 'GeminiVisualizer']
