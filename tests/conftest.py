"""Property tests without a deadline: a busy machine is no defect."""

from hypothesis import settings

settings.register_profile("ropewalk", deadline=None)
settings.load_profile("ropewalk")
