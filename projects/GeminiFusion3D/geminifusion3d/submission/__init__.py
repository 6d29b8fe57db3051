"""Submission files: what a record may hold, how files are written, and whether a file is valid.

Imports neither torch nor mmdet3d nor the devkit: a file is judged within two seconds.
"""
