"""Training of a model on customers' histories, with scikit-learn. `__all__` names the public interface."""

from churn.training.between_trainings import Update, brought_up_to
from churn.training.evaluation import Window
from churn.training.pipeline import Trained, TrainedModel, table, train
from churn.training.plan import CannotTrainError, Plan, TooLittleHistoryError
from churn.training.promotion_gate import InUse
from churn.training.report_html import report_html
from churn.training.snapshots import MOST_CUSTOMERS, Histories
from churn.training.young_shop import begin, train_or_begin

__all__ = [
    "MOST_CUSTOMERS",
    "CannotTrainError",
    "Histories",
    "InUse",
    "Plan",
    "TooLittleHistoryError",
    "Trained",
    "TrainedModel",
    "Update",
    "Window",
    "begin",
    "brought_up_to",
    "report_html",
    "table",
    "train",
    "train_or_begin",
]
