#!/bin/bash
# The entry point of a Ray job: it reads the data set, sends batches to actors on all nodes, and is
# the only one that writes to the database.
#
#   ray job submit --address http://head:8265 --working-dir . -- bash score.sh
#
# Every node needs ig4 in the same version, the images under the same paths, and the models' weights.

set -euo pipefail
: "${DATASET:=/data/llava.json}"          # on a path that all nodes see
: "${NAME:=llava}"
: "${SCORERS:=clip}"
: "${ACTORS:=8}"                          # copies of the models, one a GPU
: "${GPUS:=1}"                            # GPUs of each actor; 0.5 lets two share one, 0 needs none
: "${CPUS:=4}"                            # cores of each actor, which decode the images
: "${IG4_DB:=ig4.db}"                     # better on a server: postgresql://ig4@db/ig4
: "${SCORE_OPTIONS:=}"                    # more options of `ig4 score`
export IG4_DB

ig4 ingest "$DATASET" --name "$NAME" --quiet

status=0
# shellcheck disable=SC2086 # options are words
ig4 score --dataset "$NAME" --scorers "$SCORERS" --executor ray \
  -o ray.actors="$ACTORS" -o ray.num_gpus="$GPUS" -o ray.num_cpus="$CPUS" $SCORE_OPTIONS || status=$?

# 3: done, but some samples failed, and are recorded.
((status == 0 || status == 3)) || exit "$status"
