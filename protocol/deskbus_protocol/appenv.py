"""The environment variables by which an app's process finds the backend."""

APP_VARIABLE = "DESKBUS_APP"
"""The app's id."""

PIPE_VARIABLE = "DESKBUS_PIPE"
"""Where the backend listens."""

TICKET_FD_VARIABLE = "DESKBUS_TICKET_FD"
"""A descriptor with the app's ticket on it, to be read once."""

LIFE_FD_VARIABLE = "DESKBUS_LIFE_FD"
"""A descriptor that comes to its end when the backend does."""
