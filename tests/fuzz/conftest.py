"""Profiles of hypothesis: few examples, always the same; `TCM_HF_FUZZ=thorough`: thousands of new ones."""

import os

from hypothesis import HealthCheck, settings

# No deadlines: the machine may be busy. Hangs are looked for where a test measures time.
_SHARED = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile("default", derandomize=True, max_examples=25, **_SHARED)
settings.register_profile("thorough", derandomize=False, max_examples=2000, **_SHARED)
settings.load_profile(os.environ.get("TCM_HF_FUZZ", "default"))
