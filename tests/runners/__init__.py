"""What tests of CI vendors and containers run on: an engine, a base image, an image for jobs.

    engine.ensure()   a docker client that builds, and an engine that answers it
    base.image()      a small image with Python: what BASE_IMAGE is set to
    runner.image()    the same with git, make, uv and docker: what a CI job runs in
    runner.cache()    a folder to mount, so that no job downloads what another one has
    github, gitlab    run a project's pipeline in that image, with act and gitlab-ci-local

The first four make what is missing, once per machine, and raise `engine.Unavailable` with a reason
where that cannot be had. `python -m tests.runners` does all of it beforehand.
"""
