"""Forms of instructions and answers, found by rules."""
