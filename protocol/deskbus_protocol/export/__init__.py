"""The OpenRPC document, schemas, TypeScript and reference, made from the method table."""
