"""What single factors or parameters do: contrasts of complete grids, and what many single runs of a search tell of each parameter.

Change here how an effect is estimated; each names its source. May import statistics and looks; knows no words.
"""
