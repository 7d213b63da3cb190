"""The `headway` command: one module for each subcommand, listed in `main`."""
