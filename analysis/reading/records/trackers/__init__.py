"""What TensorBoard's SummaryWriter and Weights & Biases leave in folders, read as a store's runs are. Opens files to read only, runs nothing of theirs, asks no server.

Change here what a tracker's files mean. The trackers' own packages are loaded when such a file is read; may import of the room `snapshot` and `table`.
"""
