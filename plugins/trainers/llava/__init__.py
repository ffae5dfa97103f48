"""LLaVA-1.5, as published (arXiv 2310.03744; code of commit c121f04)."""
