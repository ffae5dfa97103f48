"""Reading what models and judges said: answers, questions, pairs, reviews and thoughts."""
