"""An app for the control centre's tests: it says a few lines, and ends as nobody asked it to."""

import sys

sys.stdout.write("first words\nlast words\n")
sys.stdout.flush()
sys.exit(3)
