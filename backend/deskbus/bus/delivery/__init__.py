"""From the broker to one client: queues, acknowledgement, dead letters, gap notices."""
