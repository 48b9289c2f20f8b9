"""The networks of ``nano``, the small GFP-GAN that gfpbench embeds, and directions of their latents.

The restorer of that name is ``gfpbench.restorers.nano``; what trained it is the checkout's ``training``.
"""
