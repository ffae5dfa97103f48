"""`ig4 learn-weights`: from subsets of different mixes to the weights of scores."""
