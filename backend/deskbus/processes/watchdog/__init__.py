"""The process that ends every app when the backend is killed."""
