"""The pipeline: build a release, deploy it, watch it, roll it back.

Touch this folder to change how releases travel; touch `src/` to change the model. Nothing here is
part of the wheel, and nothing here imports the model: it is run as a program, as in production.
"""
