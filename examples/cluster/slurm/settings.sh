# What the jobs of this folder work on; each may be set in the environment instead.

: "${DATASET:=$HOME/data/llava.json}"   # the data set, on a path that all nodes see
: "${NAME:=llava}"                      # what it is called in the databases
: "${SCORERS:=clip,length}"             # scorers, as in `ig4 score --scorers`
: "${OUT:=$HOME/ig4-shards}"            # where the shards' databases go, on a path that all nodes see
: "${SCORE_OPTIONS:=}"                  # more options of `ig4 score`, as in "-o clip.model=ViT-L-14"
