"""The web gateway: pages of an ordinary browser on the same bus, and no way around it.

`origins`, `pages` and `websocket.frames` know no server; what serves imports
Starlette and uvicorn, and is imported only where `[web]` is configured.
"""
