"""Language models that rate: prompts, replies, and the services behind them."""
