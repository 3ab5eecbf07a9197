"""Words for people, the same in dialogs, panels, reports and the command line."""
