"""What an app is: its content and its publisher's signature."""
