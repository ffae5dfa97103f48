"""A server on this machine that speaks OpenAI's and Anthropic's interfaces, with scripted faults.

`LlmServer` (client.py) starts it as a process of its own, so that it goes on counting when the
client under test is killed.
"""
