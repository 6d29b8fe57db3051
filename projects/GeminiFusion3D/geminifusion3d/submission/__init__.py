"""Submission files: what a record may hold, how files are written, and whether a file is valid."""
