"""Grounding: does each sentence rest on the evidence it cites?"""
