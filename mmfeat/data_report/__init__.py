"""What is in a dataset file, and what a careful person would look at before training on it."""

from mmfeat.data_report.report import write_data_report
from mmfeat.data_report.survey import DatasetSurvey, survey_dataset

__all__ = ["DatasetSurvey", "survey_dataset", "write_data_report"]
