"""Loads the plugin when the suite runs from a checkout; an installed gfpbench registers itself."""

pytest_plugins = ["pytester"]
