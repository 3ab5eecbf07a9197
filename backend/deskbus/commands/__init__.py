"""The `deskbus` commands, a module each."""
