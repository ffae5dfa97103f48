"""What a run does, stage by stage: ingest, score, cluster, select, export."""
