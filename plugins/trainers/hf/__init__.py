"""Any vision-language model that transformers loads as image-text-to-text."""
