"""Durable files, locks, clocks, timers and the worker thread, by the means of each platform."""
