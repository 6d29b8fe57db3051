"""`python -m geminifusion3d` is `gemini3d`."""
from .commands.main import main

main()
