"""The endpoints, one module for each thing. They call deeds and show what came of them."""
