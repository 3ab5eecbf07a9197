"""What permissions, scopes and grants mean; pure."""
