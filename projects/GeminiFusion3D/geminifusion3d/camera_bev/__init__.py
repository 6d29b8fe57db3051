"""Six images become a BEV map: backbone, neck, depth, lift, splat."""
from .camera_branch import CameraBranch, LSSBranch
from .depth_lss_branch import DepthLSSBranch
from .image_neck import ImageNeck

__all__ = ['CameraBranch', 'DepthLSSBranch', 'ImageNeck', 'LSSBranch']
