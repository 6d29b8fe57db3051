"""Facts about space: frames, the BEV grid, the camera rig. Nothing here learns."""
