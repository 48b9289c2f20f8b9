"""Trains the small GFP-GAN that gfpbench embeds: the paper's objective, a StyleGAN2 prior, restoration on top of it.

``python -m gfpbench.nano.train`` is the program; docs/nano.md says how it is used and what came of it.
"""
