"""Trains the small GFP-GAN that gfpbench embeds: the paper's objective, a StyleGAN2 prior, restoration on top of it.

``python -m training.train`` is the program; docs/nano.md says how it is used and what came of it. It is part of the
checkout and not of the installed package: gfpbench imports nothing from here.
"""
