"""`python -m ig4` is the `ig4` command, for launchers that start modules."""

from ig4.cli.main import main

main()
