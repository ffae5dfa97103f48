"""What all trainers share: options, the loop, tokens, decoding, weights."""
