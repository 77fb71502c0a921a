"""`python -m neocog` is the command `neocog`."""

import sys

try:
    from neocog.cli import main
except KeyboardInterrupt:  # Ctrl-C while Python still reads what it needs
    sys.exit(130)

main()
