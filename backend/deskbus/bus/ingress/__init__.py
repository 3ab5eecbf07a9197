"""What clients and other machines publish, and how much of it they may."""
