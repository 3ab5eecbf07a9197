"""The schemas and references that are made from the configuration, the policy and the commands."""
