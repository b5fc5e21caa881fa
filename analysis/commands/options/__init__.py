"""What commands take, and which of it makes sense together.

Change here an option, its help, or what is said of two that exclude each other. May import what is light: help and errors come at once.
"""
