"""Judges a submission: python tools/validate_submission.py is `gemini3d validate`."""
from geminifusion3d.commands.main import main

if __name__ == '__main__':
    main('validate')
