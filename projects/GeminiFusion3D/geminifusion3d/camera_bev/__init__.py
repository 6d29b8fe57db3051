"""Six images become a BEV map: backbone, neck, depth, lift, splat."""
from .camera_branch import CameraBranch
from .image_neck import ImageNeck

__all__ = ['CameraBranch', 'ImageNeck']
