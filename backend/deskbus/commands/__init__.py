"""What each `deskbus` command does."""
