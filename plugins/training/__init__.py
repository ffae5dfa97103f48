"""What all trainers share: options, plan, loop, batches, decoding, memory."""
