"""A stand-in for Telnyx that speaks HTTP: for the demo and the tests, never for production.

Pure, the clock passed in:
answers, settings, clips <- legs <- core <- captions, sounds, tape <- calling <- dialling <- world
scripts <- world <- demo, histories

Touching the outside:
speech <- audio <- library, files
queues, faults <- delivery
world, library, files, delivery <- switchboard <- api, levers, downloads <- server
"""
