"""What is declared of sensors is what the model reads."""
import pytest

from geminifusion3d.errors import UserError
from geminifusion3d.modalities import check_declaration

CAMERA_ONLY = {'use_camera': True, 'use_lidar': False, 'use_radar': False}


def test_a_model_that_reads_other_sensors_than_declared_is_refused():
    with pytest.raises(UserError, match="declares .*'use_lidar': True.* reads .*'use_lidar': False"):
        check_declaration({'use_camera': True, 'use_lidar': True, 'use_map': False}, CAMERA_ONLY)
    check_declaration({'use_camera': True, 'use_lidar': False, 'use_external': True}, CAMERA_ONLY)
