"""SpeechAI: calls everyone on a list through Retell AI, by the rules, and keeps what was said.

The layers, top to bottom (arrows run one way only, held by import-linter):
`web` and `tasks` → `operation` → `ingest`, `retell`, `store` → `core` → `catalog`.
"""

__version__ = "0.1.0"
