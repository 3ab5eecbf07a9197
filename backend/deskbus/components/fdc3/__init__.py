"""The desktop agent of FDC3, with its app directory and the choices that a person makes."""
