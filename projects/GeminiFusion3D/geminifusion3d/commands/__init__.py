"""The commands of `gemini3d`: they know every other folder, and no folder knows them."""
