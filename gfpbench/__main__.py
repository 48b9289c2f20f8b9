"""`python -m gfpbench` is the `gfpbench` command."""

from gfpbench.supervised import main

main()
