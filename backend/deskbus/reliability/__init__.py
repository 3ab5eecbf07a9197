"""Health, circuit breakers, backoff, throttles, fair queues and signals: what a part does where
another fails.
"""
