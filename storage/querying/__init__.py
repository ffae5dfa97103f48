"""One reading query on the database, which can change and reach nothing else."""
