"""Origins: an app's own, a request's, and the browsers that a person has let in."""
