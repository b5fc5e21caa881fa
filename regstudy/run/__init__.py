"""One trial, wired: data, training, checkpoints and tracking; its figures, note, provenance and progress.

Change here what one run does beside training. May import all rooms but study and commands.
"""
