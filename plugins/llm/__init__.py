"""Language models that rate: prompts, replies, and the services that are asked."""
