"""Makes a submission: python tools/export_submission.py is `gemini3d export`."""
from geminifusion3d.commands.main import main

if __name__ == '__main__':
    main('export')
