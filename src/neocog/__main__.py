"""`python -m neocog` is the command `neocog`."""

from neocog.cli import main

main()
