"""Service images from ``blubber.yaml`` (Blubber v4): schema, merge, phases, rendered Dockerfile."""
