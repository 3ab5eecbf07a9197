"""The steps of `deskbus bundle`: interpreter, libraries, packages, and the proof that it works."""
