#!/bin/bash
# Scores a data set in an array of jobs, and merges their databases when all of them are done.
#
#   DATASET=/data/llava.json SCORERS=clip ./submit.sh            # 16 shards
#   SHARDS=64 DATASET=/data/llava.json SCORERS=clip ./submit.sh  # 64

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# Slurm runs a copy of a script, which does not know where it came from.
export IG4_CLUSTER=$PWD
export SHARDS=${SHARDS:-16}

array=$(sbatch --parsable --array="1-$SHARDS" score.sbatch)
merge=$(sbatch --parsable --dependency="afterok:${array%%;*}" merge.sbatch)
echo "shards: job ${array%%;*}; merge: job ${merge%%;*}"
