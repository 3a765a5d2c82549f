"""Pure NLU skills and their thin Rasa components."""
