"""How well models find what is bad, on labelled payments that we did not make up."""
