"""A believable library for trying things out and for measuring: the same seed, the same library.

talk     what is said          rows     calls, recordings, texts, tags, reviews
sounds   what is heard         load     rows into the database, in bulk
"""
