"""Finding recordings by who spoke, by what was said and by everything else, at any size.

words     text -> words, the same for both databases
query     what somebody typed -> clauses
document  a recording -> the text that is searched
index     keeps that text right
sources   a condition -> places, in order, from an index
engine    filters -> a page of recordings
extract   the sentence, with marks and its moment
"""
