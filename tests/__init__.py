"""The tests. A package of their own name, so that processes which a test starts find them here.

Without this file ``tests`` is a namespace package, and any installed package that brings a folder
of that name along (torch-fidelity does) takes its place: a spawned worker then cannot import the
function it is to run.
"""
