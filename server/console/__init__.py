"""Pages and commands that compose several rooms; owns no tables."""
