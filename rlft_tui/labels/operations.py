"""Everything that the journal holds."""

from __future__ import annotations

from rlft_tui.labels.feedback import Feedback
from rlft_tui.labels.preference import LabelOperation
from rlft_tui.labels.ranking import Ranking
from rlft_tui.labels.reliability import GoldAnswer

Operation = LabelOperation | Feedback | Ranking | GoldAnswer
