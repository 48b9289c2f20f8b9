"""gfpbench: a benchmark and regression suite for blind face restoration, GFP-GAN first."""

__version__ = "0.1.0"
