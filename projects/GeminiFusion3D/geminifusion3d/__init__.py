"""GeminiFusion3D: camera-LiDAR 3D detection with GeminiFusion, a plugin for MMDetection3D."""
