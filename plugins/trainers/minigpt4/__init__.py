"""MiniGPT-4 second stage, as published (arXiv 2304.10592; code of commit bbd7883)."""
