"""`python -m gfpbench` is the `gfpbench` command."""

from gfpbench.cli import main

main()
