"""Tar shards as WebDataset has them: samples are files that share a key."""
