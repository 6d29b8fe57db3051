"""One module per sub-command of `gemini3d benchmark`; see the parent package."""
