"""Loads CLIP, reward and vision-language models for scorers, embedders and trainers."""
