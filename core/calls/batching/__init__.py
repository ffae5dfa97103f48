"""Requests that wait for a service's batches: handed over, collected, cancelled."""
