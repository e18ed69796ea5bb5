"""Property tests without a deadline: a busy machine is no defect. Interrupts are heard, whoever started us."""

import signal

from hypothesis import settings

settings.register_profile("ropewalk", deadline=None)
settings.load_profile("ropewalk")

# A shell without job control starts what it puts in the background with SIGINT ignored, and what tests start inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)
